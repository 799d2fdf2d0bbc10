"""From what the user named to files that can be read: folders, archives, compressed files, standard input.

`contents.find` is the door: a path in, a `Contents` of `FoundMember`s out, each of which opens as plain bytes.

    disk          a regular file, watched for changes while it is read; how far reading is
    unpacking     gzip, bzip2 and xz, within an `Allowance`                wide_text  UTF-16 and UTF-32 to UTF-8
    zips, tars    archives as members, never unpacked to disk              walking    a folder's files
    entries       members, and names inside archives and folders          problems   what can't hold tweets, by its look
    standard_input    a stream kept as a file, so that a run can go on later

Everything that goes wrong is a `CorpusError`. Only `standard_input` writes, and only into the folder it is given.
"""

from engine.corpus.opening.contents import find
from engine.corpus.opening.disk import Meter
from engine.corpus.opening.entries import Contents, FoundMember

__all__ = ["Contents", "FoundMember", "Meter", "find"]
