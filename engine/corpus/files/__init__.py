"""From what the user named to files that can be read: folders, archives, compressed files, standard input.

`contents.find` is the door: a path in, a `Contents` of `FoundMember`s out, each of which opens as plain bytes.

    disk_file          a regular file, watched for changes while it is read
    decompress         gzip, bzip2 and xz, within an `UnpackLimit`                 utf16  UTF-16 and UTF-32 to UTF-8
    zips, tars         archives as members, never unpacked to disk               walk   a folder's files
    archive_entries    members, and names inside archives and folders            sniffing  files that can't hold tweets
    standard_input     a stream kept as a file, so that a run can go on later

Everything that goes wrong is a `CorpusError`. Only `standard_input` writes, and only into the folder it is given.
"""

from engine.corpus.files.archive_entries import Contents, FoundMember
from engine.corpus.files.contents import find
from engine.corpus.files.read_progress import ReadProgress

__all__ = ["Contents", "FoundMember", "ReadProgress", "find"]
