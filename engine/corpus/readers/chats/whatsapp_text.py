"""The words of the author in a WhatsApp message, without what the app added about media, edits and deletion.

In exports from iOS a left-to-right mark precedes the app's words, in every language: `MARKimage omitted`, `A caption
MARK<attached: 1.jpg>`, `MARKThis message was deleted.` Android has brackets and phrases in the phone's language; a
phrase that is not listed here is learnt at most once, as a duplicate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARK = "\u200e"
_AFTER_A_MARK = re.compile(rf"(?:^|(?<=\s)){_MARK}.*")
_EDITED = re.compile(
    r"\s?<[^<>]{0,60}(?:edited|bearbeitet|editad|modifi|bewerkt|изменен|отредактир|düzenlen|diedit|edytowan|redigera|muoka"
    r"|编辑|編輯|編集|편집)[^<>]{0,60}>$"
)
_OMITTED = re.compile("\u200f?<[^<>]{2,80}>\u200f?")
"""`<Media omitted>`, `<attached: 1.jpg>`."""
_FILE_NAME = re.compile(
    r"(?:.*\.\w{1,5} <\u200e[^<>]+>"
    r"|(?:IMG|VID|AUD|PTT|STK|DOC)-\d{8}-WA\d{4}\.\w{1,5}(?: \(.*\))?"
    r"|.*\.\w{1,5} \((?:file attached|Datei angehängt|archivo adjunto|fichier joint|arquivo anexado|file allegato"
    r"|bestand bijgevoegd|файл добавлен|soubor byl přiložen|dosya ekli|plik załączony|file terlampir)\))"
)
_LOCATION = re.compile(r"[^:]{1,30}: https://maps\.google\.com/\?q=[-\d.,]+")
_PHRASES = frozenset(
    {
        *("this message was deleted", "you deleted this message", "message deleted"),
        *("diese nachricht wurde gelöscht", "du hast diese nachricht gelöscht"),
        *("se eliminó este mensaje", "este mensaje fue eliminado", "eliminaste este mensaje"),
        *("esta mensagem foi apagada", "essa mensagem foi apagada", "mensagem apagada", "você apagou esta mensagem"),
        *("ce message a été supprimé", "vous avez supprimé ce message"),
        *("questo messaggio è stato eliminato", "hai eliminato questo messaggio"),
        *("dit bericht is verwijderd", "je hebt dit bericht verwijderd", "u hebt dit bericht verwijderd"),
        *("данное сообщение удалено", "вы удалили данное сообщение", "это сообщение было удалено"),
        *("bu mesaj silindi", "bu mesajı sildiniz", "pesan ini telah dihapus", "anda telah menghapus pesan ini"),
        *("missed voice call", "missed video call", "live location shared"),
        *("waiting for this message. this may take a while", "null"),  # null: a picture to be viewed once
    }
)


def own_words(lines: Sequence[str]) -> str:
    """Return the text of a message of these lines; "" if the author wrote nothing."""
    first, *others = (_before_mark(line) for line in lines)
    if first is not None and (_OMITTED.fullmatch(first) or _FILE_NAME.fullmatch(first) or _LOCATION.fullmatch(first)):
        first = None  # a caption follows
    text = _EDITED.sub("", "\n".join(line for line in (first, *others) if line is not None).strip())
    return "" if text.casefold().rstrip(".") in _PHRASES else text


def _before_mark(line: str) -> str | None:
    """Return a line without the app's words; None if it has no others."""
    own = _AFTER_A_MARK.sub("", line).rstrip()
    is_added = len(own) < len(line.rstrip()) and (not own or own.endswith("•"))  # "report.pdf • MARK3 pages"
    return None if is_added else own
