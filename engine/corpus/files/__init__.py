"""From a path of the user's to readable files: folders, archives, compressed files, standard input.

`contents.find` is the entry point: it returns the `Contents` of a path, `FoundMember`s that open as plain bytes.

    disk_file          a regular file; an error if it changes while it is read
    decompress         gzip, bzip2, xz and zstd, within a `DecompressionLimit`
    encodings          other encodings to UTF-8
    zips, tars         archives as members, never extracted to disk
    walk               the files of a folder and its subfolders
    archive_entries    members, and the rules for names inside archives and folders
    refused            what is not read, such as pictures, documents and exports of chats
    read_progress      how much has been read
    standard_input     a stream saved as a file, so that a run can be resumed

Raises `CorpusError`. Never writes, except `standard_input`, into the folder that it is given, which raises
`StorageError` too.
"""

from engine.corpus.files.archive_entries import Contents, FoundMember
from engine.corpus.files.contents import find
from engine.corpus.files.read_progress import ReadProgress
