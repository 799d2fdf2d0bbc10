"""Tables for the spelling of 2009: slang, laughs, stretched words, emoticons, emoji, final marks.

An item listed twice is twice as likely. The emoji are few, so that each is frequent enough to be learned by a model.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from assets.grammar.tables import pairs, words

EMOTICONS: Final = words(
    ":) :) :) :) :) :D :D :D :D :-) :-) ;) ;) ;-) =) =) =D xD XD ^_^ <3 <3 <3 :P :p =] (: :] "
    "\\o/ ^^ (= :-D :o) 8) x xx xoxo <33 =P :')"
)
EMOJI: Final = tuple(
    symbol
    for symbols, weight in (
        ("♥☺♫", 4),
        ("😊😂😍🎉❤💛✨🌞☀★", 2),
        ("🎂🐶🐱🌈🍕☕🎵🌻💖🙌😎🥳🍰🌊🎸", 1),
    )
    for symbol in symbols
    for _ in range(weight)
)
PHRASES: Final = (
    ("oh my goodness", ("omg", "omg", "oh my gosh")),
    ("going to", ("gonna", "gonna", "goin to")),
    ("want to", ("wanna",)),
    ("have to", ("hafta", "gotta")),
    ("see you", ("cya", "c u", "see ya")),
    ("you are", ("ur", "u r")),
    ("thank you", ("ty", "thank u", "thanku", "thankyou")),
    ("a lot", ("alot",)),
    ("good night", ("gnight", "gn")),
    ("so much", ("soo much", "sooo much")),
    ("i don't know", ("idk", "dunno")),
    ("right now", ("rite now", "right nowww")),
    ("kind of", ("kinda",)),
    ("for you", ("4u", "4 u")),
    ("come on", ("cmon",)),
    ("i don't care", ("idc", "i dont care")),
    ("best friend", ("bff", "bestie", "best fren")),
    ("let me", ("lemme",)),
    ("give me", ("gimme",)),
)
SPELLINGS: Final[Mapping[str, Sequence[str]]] = {
    "you": ("u", "u", "ya"),
    "you're": ("ur", "youre", "u r"),
    "your": ("ur", "ur", "yr"),
    "you'll": ("u'll", "youll"),
    "are": ("r",),
    "and": ("&", "n", "an", "+"),
    "to": ("2", "to"),
    "too": ("2", "too", "tooo"),
    "for": ("4", "4", "for", "fer"),
    "with": ("w/", "wit", "wiv"),
    "tomorrow": ("tmrw", "2moro", "tomoz", "tomoro"),
    "tonight": ("2nite", "tonite", "2night"),
    "today": ("2day", "todayy"),
    "people": ("ppl", "peeps"),
    "please": ("plz", "pls", "plzz"),
    "thanks": ("thx", "thnx", "tnx", "thanx", "ta"),
    "because": ("cuz", "coz", "cos", "bc"),
    "really": ("rly", "reli", "realy"),
    "love": ("luv", "lurve", "<3"),
    "loved": ("luved", "luvd"),
    "though": ("tho",),
    "about": ("abt", "bout"),
    "birthday": ("bday", "b-day", "birfday"),
    "great": ("gr8", "grt"),
    "night": ("nite", "nyt"),
    "morning": ("mornin", "morn", "mornin'"),
    "goodnight": ("gnight", "nite", "g'night"),
    "before": ("b4",),
    "later": ("l8r", "laterz"),
    "what": ("wat", "wut"),
    "something": ("smth", "somethin", "sumthin"),
    "everyone": ("every1", "evry1", "everyonee"),
    "someone": ("some1", "sum1"),
    "anyone": ("any1",),
    "them": ("em",),
    "just": ("jus", "jst"),
    "the": ("the", "the", "da", "teh"),
    "that": ("that", "dat", "tht"),
    "this": ("this", "dis", "thiss"),
    "have": ("hav", "av"),
    "very": ("v", "vry"),
    "so": ("sooo", "soo"),
    "good": ("gd", "gud"),
    "new": ("nu",),
    "nice": ("nyc", "noice"),
    "congratulations": ("congrats", "grats", "congratz"),
    "congrats": ("congratz", "grats"),
    "hello": ("ello", "hellooo", "hullo"),
    "hey": ("heyy", "heya"),
    "hi": ("hii", "hiya"),
    "favourite": ("fave", "fav", "favorite"),
    "brother": ("bro", "brotha"),
    "sister": ("sis", "sista"),
    "weekend": ("wkend", "wknd"),
    "friday": ("fri", "fryday"),
    "saturday": ("sat",),
    "sunday": ("sun",),
    "monday": ("mon",),
    "pictures": ("pics", "pix"),
    "photo": ("pic", "foto"),
    "photos": ("pics", "pix"),
    "okay": ("ok", "k"),
    "ok": ("k", "okay", "okie"),
    "yes": ("yep", "yup", "yeah", "yea"),
    "laughing": ("lolling", "laffing"),
    "believe": ("beleive", "bleev"),
    "awesome": ("awsum", "awesum", "awesomesauce"),
    "cool": ("kool", "kewl"),
    "school": ("skool",),
    "little": ("lil", "lil'", "wittle"),
    "amazing": ("amazin", "amazeballs", "amazinggg"),
    "lovely": ("luvly", "lovley"),
    "brilliant": ("brill", "brillo"),
    "fantastic": ("fab", "fantabulous"),
    "gorgeous": ("gorge", "gawjus"),
    "beautiful": ("beautifull", "bootiful"),
    "excited": ("xcited", "excitedd", "excitd"),
    "definitely": ("def", "defo"),
    "probably": ("prolly", "probs"),
    "vacation": ("vacay",),
    "holiday": ("hols",),
    "computer": ("puter",),
    "tweets": ("tweetz", "twts"),
    "minutes": ("mins",),
    "hours": ("hrs",),
    "week": ("wk",),
    "seriously": ("srsly", "srsly"),
    "totally": ("totes", "totaly"),
    "obsessed": ("obsesd",),
    "cousin": ("cuz", "cuzzy"),
    "breakfast": ("brekkie", "breaky"),
}
LAUGHS: Final = {
    "haha": words("haha hahaha hahaha hahahaha hahahahaha ha ahaha bahaha mwahaha"),
    "lol": words("lol lol LOL lolol lolz lool rofl"),
    "hehe": words("hehe hehehe heehee teehee"),
    "hahaha": words("hahaha hahahaha hahahahahaha HAHAHA haaaaaha"),
    "aww": words("aww aw awww awwww"),
    "woohoo": words("woohoo woo hoo woohooo wooohooo"),
    "yay": words("yay yay yayy yayyy YAY yaaay"),
    "omg": words("omg omg OMG omgg ohmygosh"),
}
STRETCHED: Final[Mapping[str, str]] = pairs(
    "so:o love:o yay:y aww:w wow:o happy:y really:l yum:m good:o cute:u hey:y yes:s "
    "please:e best:e sweet:e cool:o ahh:h ooh:o oh:h hello:o hi:i super:u fun:n sunny:y "
    "way:y amazing:a finally:y woo:o mmm:m whee:e loving:o lovely:o tasty:y long:o much:u "
    "night:i goodnight:i pretty:y tired:i bye:e fab:a excited:e brilliant:i yippee:e "
    "hooray:y omg:g totally:y great:e lucky:y tiny:i huge:u beautiful:u weekend:e friday:y "
    "more:e all:l no:o again:n too:o sunshine:i nice:i warm:a awesome:e proud:u yeah:a "
    "everyone:e thanks:s perfect:e gorgeous:o cake:a back:k wahoo:o pink:i fluffy:y need:e "
    "want:a"
)
NEAR_KEYS: Final[Mapping[str, str]] = pairs(
    "a:s b:v c:v d:f e:r f:g g:h h:j i:o j:k k:l l:k m:n n:m o:p p:o q:w r:t s:d t:y u:i v:b w:e x:c y:t z:x"
)
PROPER: Final = frozenset(
    words(
        "monday tuesday wednesday thursday friday saturday sunday january february april june july "
        "august september october november december christmas easter halloween diwali hanukkah eid "
        "thanksgiving spanish french german italian latin japanese swedish portuguese korean welsh "
        "dutch greek arabic mandarin russian finnish turkish gaelic swahili polish english saturn "
        "jupiter esperanto"
    )
)
ENDS: Final = words("! ! ! ! ! . . . ... .. !! !! !!!")
"""Final marks of a statement; repetition is the weight."""
