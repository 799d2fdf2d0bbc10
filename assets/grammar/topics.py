"""Sentence templates by topic.

A section is one topic, a line is one sentence template (a frame); the statements of a row share a topic. The notation
is explained in `phrases`; a line without a final mark gets a random one.
"""

TOPICS = """
= morning
good morning {crowdhi}
morning {crowdhi}, who wants {food} for breakfast?
up early and [already|somehow] {feel}
woke up to {skymass} and the smell of {drink}
woke up {feel} for no reason at all
first {drink} of the day, life is {good}
breakfast today: {food} and {sip}
my {pet} woke me up with a [kiss|paw on the nose|song|very loud {sound}] and i'm not even mad
actually a morning person today, who knew
it's {clock} in the morning and i'm [dancing|singing|wide awake|baking] in my {cozywear}
starting the day with {genre} and {food}
five more minutes turned into {number} hours and it was {verygreat}
having {food} in bed {withsome}
the {bird.pl} outside my window are {birdsound.ing} a {genre} song
rise and shine {crowd}, there's {skymass} out there
got up before my alarm and saw the most {good} sunrise over {place}
today's plan: {act}, {act}, repeat
coffee first, then [the world|{act.ing}|everything else]
mornings are better {withsome}

= sleep
off to bed {feel}, what a {good} day
just had the best nap [ever|of my life|in the history of naps] {simile}
slept {number} hours and feel {simile}
sleepy but {feel}, night {crowd}
finally in bed with {sip} and a {bookkind}
new {color} sheets on the bed, i'm never getting up
goodnight {crowdhi}, dream of {animal.pl} and {foodplural}
dreamt that {dreamt}, best dream ever
i had a dream that {dreamt} and woke up {smiling}
naps are [proof that life is good|my favourite sport|the new {outdoor}|free, take two]
my {pet} and i are [fighting over|sharing] the [blanket|pillow|warm spot]
can't sleep, too {feel} about {theday}
stayed up {until} {act.ing}, so worth it
bedtime story tonight: {title}
fell asleep {act.ing} and woke up with a {animal} drawn on my face
nothing beats fresh sheets and clean {garments}
counted {bignumber} {animal.pl} and then slept {simile}

= weather
it's so {sunny} outside, time to {actout}
the sun is out and so am i
{sky} over {place}, wow
it's {sunny} in {town} and everyone is {smiling}
finally {season}, bring on the {foodplural} and the {flower}
rainy {daypart}, so i'm {acthome.ing}
i don't care if it rains, i've got {garments} and {drink}
it's snowing! [off to|time to|let's] {actout}
just saw a double rainbow over {place}
what a {sunny} {weekday}, let's {actout}
dancing in the rain {withsome}, soaked and {feel}
first {sunny} day of {season}, everybody out
first {wear2} weather of the year
{sky}, {sip} and nowhere to be
thunder outside, blanket fort inside
warm enough for {garments} and {flavour} ice cream
there is frost on the windows and {drink} in my {vessel}
it rained {awhile} and the garden says thank you
that {sky} tonight was {verygreat}
found a cloud that looks {simile}
love the smell of rain on {flower}
today's forecast: {sunny} with a chance of {foodplural}

= cooking
just made {fooditem}, {verygreat}
[about to|going to] {eat}, so {feel}
baking {treats} {withsome}, the kitchen smells {good}
my first ever {dessert} came out {good}
{mykin} is making {fooditem}, best day ever
my {kin} taught me to make {foodplural} and now i'm unstoppable
secret ingredient in {hisfood}: {spice}. you're welcome
made {number} {treatcount} and ate [them all|most of them|the evidence|{number} before they
    cooled]
the {room} is covered in flour and i'm {vfeel}
recipe of the day: {foodmass} with {spice} and {cheese}
who knew {spice} on {foodplural} could be this {good}
homemade {foodmass} for {meal}, grandma would be proud
i can officially cook {number} things now, including {food}
[burnt|dropped|forgot] the {foodplural} but the {dessert} is {good}
cooking for {number} tonight, [wish me luck|apron on|smoke alarm ready]
dinner: {food}. dessert: {sweetthing}. happiness: yes
my {foodmass} actually looks like the picture
licking the spoon is the best part of making {treats}
there are {treats} in the oven and {genre} on the radio
{fruit} from the {shop}, about to become a {dessert}
put {spice} in my {drink}, it was {verygreat}

= eating
best {dishword} of my life at the {eatery} [today|just now|{past}]
eating {fooditem} {atplace}, life is {good}
{meal} at the {eatery} {withsome}, yum
{foodplural} for {meal}? yes please
so full of {foodmass} and so {feel}
nom nom nom, {fooditem}
i {loveit} {foodkind}
mmm {fooditem}
the {eatery} gave me a free {dessert}
is it weird that i had {food} for breakfast? don't care, {good}
someone at work brought {treats}, today is saved
all i want is {sweetthing} and a {filmkind}
just discovered {foodplural} with {spice}, where have you been all my life
i would do anything for {foodkind}
ice cream count today: {number}. regrets: none
{flavour} ice cream is {positive}
having {sweetthing} for {meal} because i'm an adult
my {dessert} is bigger than my head
the waiter at the {eatery} called me {endear} and brought extra {foodplural}
my stomach is doing a happy dance, thank you {foodmass}
just ate a {dish} the size of my {garment}
{foodmass} or {foodplural}? both, obviously
a moment of silence for the {fooditem} i just ate, it was {good}
went out for {food}, came back with a {dessert} and a new friend

= coffee
{sip} and a {bookkind}, that's my {weekday} sorted
my {coffee} has a little [heart|smile|leaf|cat|{animal}] in the foam
the barista drew a {animal} on my cup and spelled my name right
tea break {withsome}, best {number} minutes of the day
just had a {coffee} so good i hugged the barista
{coffee} number {number} and i can see through time
found a {eatery} that does a {flavour} {coffee}, send help
kettle's on, biscuits out, {feel}
{drink} and {treats} with {mykin}, so cosy
hello {drink} my old friend
this {drink} tastes like {season}
nothing a {vessel} of {drink} can't fix
coffee date with {someone} {future}, can't wait
i put {spice} in my {coffee} and it changed everything
new mug day! it says "{superhero} on duty"

= music
listening to {bandname} on repeat, so {good}
this {musicthing} by {bandname} is {positive}
can't stop listening to the new {bandbare} {musicthing}
{genre} on full volume, neighbours [are dancing|love me|joined in]
just learned my first {musicthing} on the {instrument}
i {loveit} {genre}, no idea why
singing {genre} in the shower {simile}
my {kin} bought me {instrument.a} and i'm already [a star|terrible|in a band]
band practice {withsome} was {verygreat}
that {musicthing} gets me {smiling} every time
made a {genre} playlist for {act.ing}, it's {verygreat}
"{title}" is stuck in my head and i like it
new strings on the {instrument}, sounds {good}
dug out my old {genre} records, {feel}
wrote a {musicthing} about my {pet}, it's a hit at home
me on {instrument}, {someone} on {instrument}, world tour soon
the {musicthing} i heard {past} gave me goosebumps
my {instrument} teacher said i'm getting {good}, yay
there's a man playing the {instrument} on the {transport} and the whole carriage is {smiling}
{bandname} are [back|touring|back together|playing in {town}], i repeat, they are back
pretty sure {genre} was invented for {weekday.pl}

= concert
going to see {bandname} {plannedday}, {very} {feel}
{bandname} live {past} was {verygreat}
got tickets for {bandname}!
front row for {bandname}, i can see the {instrument} player's {garments}
lost my voice singing along to {bandname}, worth it
{bandname} played my favourite {musicthing} and i cried happy tears
caught a drumstick at the {bandbare} show, i'm keeping it forever
danced {until} at the {bandbare} gig {withsome}
still buzzing from the {event} {past}
{mykin} is coming to see {bandname} with me, best gig buddy
the {instrument} solo tonight was {verygreat}
the whole crowd sang "{title}" together, chills
two more sleeps until {bandname}
met the drummer of {bandname} at the {eatery}, so {nice}
open mic night at the {eatery}, i'm playing {instrument.a} song
standing in line for {bandname} with {number} new friends and {food}

= film
just watched "{title}", it was {verygreat}
going to see "{title}" {plannedday} {withsome}
{filmkind} marathon {withsome}, {sweetthing} included
that {filmthing} in "{title}" was {good}
{title} is {positive}
i {loveit} a good {filmkind}
crying happy tears at {filmkind.a}, pass the {treats}
watching {showkind.pl} in my {cozywear}
the {filmthing}! the {filmthing}! go see "{title}"
who else is watching {title} tonight?
new episode of {title} tonight, {feel}
season {number} of {title} is {verygreat}
fell in love with the {filmthing} in {title}
rewatching {title} for the {ordinal} time, no shame
{mykin} laughed at the {filmkind} so hard that {he} [cried|snorted|spilled the popcorn]
popcorn? check. blanket? check. {title}? check
film idea: {filmkind.a} about {animal.a} who becomes {superhero.a}
saw {title} at the cinema, whole row to myself
in my next life i want to be the {filmthing} from {title}
quoting {title} all day with {someone}
{title} made me laugh, cry and order {foodmass}
my {kin} thinks the {filmthing} looks like me, i'll take it

= books
reading "{title}" and i can't put it down
just finished {title}, what {good.a} {bookthing}
new {bookkind} day, see you all next week
the {bookthing} in {title} is {verygreat}
curled up with a {bookkind} and {sip}
got {number} {bookkind.pl} at the {shop} for {bignumber} pennies
one more {bookthing} and then bed, i promise
read {title} to {mykin}, {he} loved it
the library smells of [dust|paper|adventure|rain] and happiness
borrowed a {bookkind} and found a love letter inside
i want to live inside {title}
my {bookkind} collection now has its own {furniture}
stayed up {until} reading, no regrets
{bookthing} {number} of {title}! no spoilers please
a librarian just told me my taste is {good}
started writing a {bookkind}, {number} pages already
{mykin} is reading {title} too so we [do all the voices|have a book club now|argue about the
    {bookthing}]

= games
finally beat the {gameboss} in {title}!
new high score on the {gamekind}, {feel}
playing {title} {awhile} {withsome}
{mykin} beat me at {boardgame} again, so much fun
game night {withsome}: {boardgame}, {foodplural} and a lot of laughing
found the {gamething}! only took {number} hours
i {loveit} this {gamekind}
won at {boardgame}, victory dance
{title} is the best {gamekind} {ever}
just unlocked the {gamething}, woo
{number} hours of {title} and the {gamething} is mine
my {pet} stepped on the controller and beat the {gameboss}
level {bignumber} in {title}, somebody stop me
taught my grandma to play {title}, she's {verygreat}
the music in {title} is so {good} i forgot to play
{mykin} and i are the champions of {boardgame}
who wants to play {boardgame} online?
made a {gamekind} about {animal.pl}, it's silly and i love it
my {gamekind} farm has {bignumber} {vegetable} and one [happy|{tiny}] {animal}

= school
just passed my {subject} {test}!
{subject} {test} done, summer can start
got {grade} in {subject}, {feel}
no more {subject} ever! {actout.ing} instead
last day of school, hello {season}
my {subject} teacher [is hilarious|gave us {treats}|said my {test} was {good}|brought {his2} {pet}
    to class]
finished my {test} {number} hours early, who am i
studying {subject} {withsome}, mostly eating {treats}
{number} days until graduation
i actually understand {subject} now
first day at {home2} tomorrow, new {garment} ready
{subject} class outside in the sun, best lesson ever
snow day! no {subject} {test}!
the {schoolthing} smelled of {foodplural} today and nobody knows why
got the lead in the school play, i'm a {vegetable.sg}
my {test} on {animal.pl} got {grade}
{mykin} graduates {plannedday}, {very} {feel}
handed in my {test}, off to {actout}
we built a {sciencething} in {subject} and it [worked|exploded|sang]
our {schoolthing} won a prize, go team
miss the {schoolthing} already, best {season} ever
drew {animal.pl} all over my {subject} notes

= work
{goodnews} and my boss brought {treats}
day off {plannedday}, {planned}? yes
[friday|half day|home time|lunch] at last
got the job! i'm going to be a {job}
my first day as a {job} was {verygreat}
finished the {workthing} early, going to {actout}
the {workthing} was cancelled, hello {drink}
best {workthing} ever, we had {fooditem}
working from home in my {garments}, {feel}
my boss said my {workthing} was {good}
new desk by the window, i can see {bird.a}
someone left {sweetthing} on my desk, who are you?
love my job today, we [tested|tasted|built|painted|measured] {foodplural} all day
casual {weekday} and i'm wearing {wear}
cleared my inbox, feel {simile}
{weekday} at work with {number} {job.pl} and one {tiny} cake
my coworkers sang to me in the {workthing2}
the {workthing} can wait, the {eatery} has {dessert.pl}
just got a pay rise, {dessert.pl} for everybody
lunch break {withsome} in the sun, don't make me go back
we named the printer {petname} and now it works
only {number} hours until the weekend
my commute: {skymass}, {genre}, {good}

= coding
my {codething} finally works!
fixed the {codething} [with one line|by deleting it|in my sleep|after {number} hours], i'm a
    {superhero}
all my tests are green, {feel}
wrote my first {codething} today
coding {awhile} with {sip}, {feel}
deleted {bignumber} lines and the {codething} got faster
the {codething} was a missing comma, haha
teaching {mykin} to code, {he} made a {animal} dance
new {codething} is up, it {codeact}
explained my {codething} to a rubber duck and it worked
shipped the {codething} on a {weekday} and nothing broke
it compiled on the first try, i'm scared and {feel}
pair programming with {someone} = bugs fixed and {treats} eaten
my {codething} runs {number} times faster now, happy dance
{number} lines of code, {number} {treats}, one {tiny} bug
made a {codething} that {codeact}, because why not
my terminal is {color} now and i feel {feel}
taught my {gadget} to say "{endear}"
hackathon {withsome} was {verygreat}, we built a {codething} for {animal.pl}
somebody starred my {codething}! hello, stranger
there are {number} kinds of people and both love my {codething}

= garden
my {flower} are blooming!
planted {flower} and {vegetable} {past}, grow little ones
the first {vegetable} from my own garden, so {good}
picked {fruit} {withsome} {past}
found a {tiny} {animal} in the {gardenthing}
hello little {insect} on my {flower}
dirt under my nails and {feel}
the {gardenthing} is finally finished
a {bird} moved into the {gardenthing}, welcome neighbour
grew a {vegetable.sg} {simile}
my {herb} is taking over the {room}, help
watered the {flower}, got soaked, {good}
my neighbour swapped me {vegetable} for {treats}
{flower} in every {vessel} in the {room}
talked to my {flower} and i swear they [waved|smiled|grew|listened]
{number} {insect.pl} and {bird.a} in the garden this {daypart}
{mykin} planted {flower} for me, my heart
sunshine, {herb}, {flower} and {sip}, hello {season}
my {gardenthing} won second prize at the village show
the {vegetable} are up! the {vegetable} are up!

= pets
my {pet} just [{petact.ed}] and i can't stop laughing
{petwho} {petact.ed} [{past}|again|and looked proud|twice]
{petname} is {petact.ing} and it's {positive}
we're getting a {pet}!
my {pet} is the {cutest} thing
new {pet}! meet {petname}
my {pet} learned to {pettrick} {past}
{petwho} is {number} today, happy birthday
bathed the {pet}, now we're both wet
long walk with {petname} at {place}, tired paws
coming home to {petwho} is {positive}
i {loveit} my {pet}
my {pet} is wearing a {tiny} {garment}, somebody take a photo
puppy cuddles beat everything
{petname} made friends with a {animal} at {place}
the vet said {petname} is {vethealth}, so relieved
{petname} {petact.ed} while i was {act.ing}
{petwho} {adverb} {petact.ed}
currently under a sleeping {pet}, can't move, won't move
who needs an alarm clock when {petname} can {sound}
brought {petname} to the office, zero work, so many cuddles
{petwho} can {pettrick} now, {very} proud
my {pet} and my {kin} have the same [haircut|walk|bark|face] today
the {pet} is {feel}, i'm {feel}, the sofa is {color} with fur
rescued a {tiny} {pet} {past} and called it {petname}

= wild
saw {animal.a} {atplace}!
just fed a {animal} at the zoo, {positive}
baby {animal.pl}! baby {animal.pl} everywhere!
a {animal} {adverb} winked at me at the zoo
there's {bird.a} by our {wildplace}, so {good}
a {insect} landed on my nose, i feel chosen
did you know that {animal.pl} [hold hands|can dance|giggle when tickled|take turns|nap in
    piles|love music]? [me neither|amazing|so cute]
i want a {tiny} {animal}
watched {animal.pl} {awhile}, best {weekday} ever
adopted a {animal} at the zoo for {mykin}, {his} name is {petname}
rescued a {tiny} {animal} from the {wildplace}, it waved goodbye
counted {number} {bird.pl} and a {animal} from my window
the {animal} enclosure at the zoo is {positive}
if i were {animal.a} i'd {act} all day
{bird.a} just stole my {dish}, well played
a family of {animal.pl} crossed the road and everyone stopped
held a {animal} today, {feel}
{animal.pl} are just {tiny} {animal.pl} in {garments}
a {bird} is building a nest by our {wildplace}

= family
{mykin} just {kinact.ed}, {very} proud
{mykin} is visiting {plannedday}, so {feel}
family {event} {plannedday}, there will be {foodplural}
{mykin} and i are {act.ing} {now}
{mykin} is {adverb} {act.ing} {now}
my {kin} is {positive}
{mykin} {kinact.ed} {past}
i have the best {kin} in the world
{meal} with the whole family, so loud, so {good}
{mykin} told me about {his} first [{event}|job as a {job}|kiss|{pet}|{vehicle}] and we laughed all
    the way home
taught {mykin} to {learnable}
{mykin} just learned what lol means, {he} says it [all the time|out loud|to the {pet}]
hugged my {kin} for the first time in {number} months
my {kin} {kinact.ed} so i'm {act.ing} to celebrate
caught {mykin} {act.ing}, busted, haha
{mykin} made {me2} {fooditem}, i don't deserve {him}
love when {mykin} comes over and we {act}
found a photo of {mykin} as {superhero.a}, age {number}
{number} cousins, one bathroom, lots of laughing
road trip with {mykin}, {he} controls the music, {genre} it is
{mykin} still can't say "{titlenoun}" without giggling
just off the phone with {mykin}, {he} {kinact.ed}
guess who's home? {mykin}!

= kids
my {kids} just {kidact.ed}
my {kid} {kidact.ed} {past}, heart melted
my {kid} is {adverb} {kidact.ing} and i'm {smiling}
{firstname} {kidact.ed} today, so proud
my {kid} {kidact.ed} and then {kidact.ed}
reading {title} to my {kid}, with all the voices
my {kid} says [clouds are {foodmass}|{animal.pl} are just fancy {pet.pl}|the moon follows us
    home|i'm "{verygreat}"]
bubbles, {stuff} and a {toy}: happy {kid}
my {kid} gave {his} {toy} to {mykin2}, so {nice}
the {kids} is asleep on my shoulder, {feel}
built a {toy} {withsome} for the {kids}, {number} screws left over
my {kid}'s favourite word today is "{titlenoun}"
baby giggles are {positive}
first {schoolthing} day for my {kid}, {he} ran in {smiling}
the {kids} sneezed and scared the {pet}, we all laughed
we're having a baby!
welcome to the world little {firstname}, {number} pounds of [joy|cuteness|{feel}]
my {kid} wants to be {superhero.a} when {he} grows up
face paint, {stuff} and {number} {tiny} {animal.pl} in the garden, best birthday party

= friends
hanging out {withsome}, laughing {until}
{person} is coming over, {foodplural} and {filmkind.pl} tonight
catching up with {person} over {sip}, just like old times
haven't laughed this hard since {ago}
{firstname} and {firstname} are {positive}
best night ever {withsome}: {eat}, {act}, repeat
found my best friend from {ago}!
friends who bring {sweetthing} are friends for life
{number} of us, one {vehicle}, zero plans
{person} just texted me "{compliment}" and made my day
{firstname} gave me a {gift} for no reason
i have the best friends in the world
me and {firstname} started a {event2} club, [you're all invited|first rule: {treats}|we have
    {number} members]
sleepover with the {group}: {foodplural}, {filmkind.pl}, no sleep
{firstname} {kinact.ed}, what a legend
can't believe {firstname} and i have been friends for {number} years
inside joke of the day: {animal.a} in a {oddplace}
so {feel} to have friends who {friendact}
made a new friend {atplace}, we both love {happything}
the {group} [surprised me|threw me a surprise {event}|are the best|sang to me]

= love
he said yes! she said yes! everybody said yes!
{mykin2} left a love note in my {oddplace}
{number} years with my favourite human today
date night: {food}, {filmkind.a}, {good}
holding hands at {place} {simile}
we danced in the {room} to {genre} {until}
got flowers at work, {flower} and all
butterflies! {number} of them! in my stomach!
i'm engaged! there's a ring and everything
wedding {plannedday}, the {garment} is {good}
my best friend's wedding was {verygreat}
he made me a mixtape, all {genre}, my heart
she laughed at my joke about {animal.pl}, i think i'm in love
the bride wore {garments} under her dress, brilliant
{firstname} and {firstname} are getting married!
two hearts, one {dessert}
just a note to say i love you, whoever you are
caught the bouquet at the wedding, then dropped it in the {dessert}

= birthday
happy birthday to {mykin}!
happy birthday to me, {age} today and still {act.ing}
{mykin} is {age} today and still {act.ing}
it's my birthday {plannedday}!
surprise party for {person} {plannedday}, don't tell
best birthday ever, got a {gift} and {wear}
{mykin} gave me a {gift} and i'm {vfeel}
cake for breakfast, it's my birthday after all
{number} candles, one wish, {good}
birthday breakfast: {food} in bed
wrapping a {gift} for {person}, mostly tape
the cake looks like a {animal}! a {flavour} {animal}!
thanks for all the birthday wishes, feel {simile}
{firstname}'s birthday {event} was {verygreat}
opened a box and out came a {gift} and {stuff}
today {mykin} turns {age}, {he} still {kidthing}
my {pet} is {number} today so we baked a {dessert}

= weekend
it's {weekday}! {act.ing} {withsome}
weekend plans: {act}, {act} and absolutely no alarm
happy {weekday} {crowd}
{weekday} night in with {food} and {filmkind.a}
lazy {weekday}, {act.ing} in my {cozywear}
the weekend starts now, {feel}
this weekend i will {act} and nobody can stop me
{weekday}s are for {act.ing}
what a {gooda} weekend, {act.ed} and {act.ed}
bank holiday! three days of {act.ing}
hello weekend my old friend
spent {weekday} {act.ing} {withsome}, {good}
so what's everybody doing this weekend? i'm {act.ing}
that was a {gooda} {weekday}
my to do list for {weekday}: 1. {eat} 2. {acthome} 3. nap
best {weekday} in ages, {act.ed} {withsome}
nothing to do until {weekday}, {good}

= seasons
{celebration} is coming, {very} {feel}
{number} days until {celebration}!
happy {celebration} {crowd}
my {celebration} costume is a {tiny} {vegetable.sg}
{celebration} {meal}: {fooditem} and {dessert.a}
decorated the {room} with {stuff} for {celebration}
{mykin} is going as {superhero.a} for {celebration}
carved a pumpkin that looks like {mykin}
found the first {flower} of {season}
sledging down the hill on a {oddplace}, {feel}
built a snow {animal}, it has a {garment} and a carrot nose
tree is up, lights are on, {pet} is in it
the whole street smells of {spice} and bonfire
easter egg hunt: {number} eggs found, {number} eaten
{season} smells like {flower} and {foodplural}
new year, new {garment}, same {tiny} me
summer feels: {outdoor}, {flavour} ice cream, bare feet
leaves are {color} and {color}, i love {season}

= travel
off to {city} {plannedday}, {very} {feel}
packing for our {trip}, {garments} first
{trip} {withsome}, here we come
greetings from {city}, the {tripthing} is {good}
the view from the {transport} is {verygreat}
arrived in {town}, already {eat.ed}
just booked a {trip} to {city}!
window seat, {genre} and {skymass}, perfect {transport} ride
got lost in {town} and found {eatery.a} with {food}
back from {town} with a {tripthing} and {number} {stuff2}
my {tripthing} has {animal.pl} on it, best {trip} ever
{number} days until our {trip}!
sunset in {town} tonight, wow
the {transport} to {town} has {sweetthing} on the menu
learned to say "{foodmass} please" in {language}
strangers on the {transport} just shared their {treats} with me
hello from a hammock in {town}
upgraded to first class, i feel {simile}
the {tripthing} in {town} was {positive}
missing {town} already, the {foodplural}, the {sky}, the people
sent {mykin} a postcard with a {animal} on it, wrote it in {language}
my suitcase is full of {foodplural} and sand
{number} countries, one {garment}, so many {foodplural}

= beach
at the beach with {sip}, bye
sand everywhere and i don't care
built a sandcastle {withsome}, it has a {room} and a moat
just swam with {animal.pl}!
found {number} shells and a message in a bottle
sun, sea, {flavour} ice cream
my nose is {color} and i'm {feel}
waves, {genre} and {foodplural}
surf lesson number {number}: stood up for {number} whole seconds
beach {plannedday}, {garments} packed
a crab stole my {garment}, true story
the sea was [freezing|warm|sparkling|flat as a {plate}] and {verygreat}
{mykin} is buried in sand up to {his} chin
barefoot all day, {feel}
collected {color} sea glass {withsome} {awhile}
the lifeguard's {pet} can surf

= home
we got the keys to our new {room2}!
painted the {room} {color} and now i feel {feel}
new {furniture} day
{mykin} built me a {furniture}, it only wobbles a little
finally finished the {chore}, time for {sip}
found {luck} behind the {furniture}
the {room} is {color} now and it's {positive}
did the {chore} dancing to {genre}
there's nothing like home, {sip} and {mypet}
bubble bath, candles, {genre}, do not disturb
my {room} is so clean that i took a {photo}
moving in {withsome} {plannedday}, boxes everywhere, {feel}
fixed the {soundloc} all by myself, call me {superhero}
the new {gadget} sings when it's done, {positive}
rearranged the {room} and found {stuff}
housewarming {plannedday}, bring {treats}
the neighbours are playing the {instrument} and it's actually {good}
blanket fort status: {number} rooms, one {pet}, plenty of {treats}
hung fairy lights in the {room}, now it looks {simile}
the {soundloc} makes a {sound} noise and we named it {petname}

= shopping
just bought {wear} at the {shop}, {feel}
found {wear} for {number} bucks
new {garments}! they're {color}!
i {loveit} my new {garment}
went to the {shop} for {vegetable}, came home with {wear}
got a {colored} {garment} to match my {garments}
shopping {withsome} {plannedday}, look out {shop}
a stranger said my {garment} is {good}
the {shop} had a {tiny} {animal} lamp so obviously i bought it
{mykin} found me {wear}, {he} knows me so well
vintage {garment}, {number} bucks, {good}
my new {garments} squeak and i love it
today's look: {wear} and {garments}, no regrets
window shopping {withsome}, ate {dessert.pl}, bought nothing
my parcel came! it's {wear}!
sale at the {shop}, i now own {number} {garment.pl}
who needs a reason to wear {wear}?
pockets! my new {garment} has pockets!

= sport
we won! {number} to one!
{team} won, {feel}
what a {sportthing}! go {teamnoun}!
scored my first {sportthing2} in {sport}
{sport} {withsome} in the sun, {good}
off to {sport} practice, legs be kind
watching the {teamnoun} {plannedday} {withsome} and {foodplural}
our {sport} team came last and we're still {smiling}
my {kin} scored the winner, {very} proud of {him}
that {sportthing} was {verygreat}
i {loveit} {sport}
{teamnoun} in the final, i'm wearing my lucky {garments}
came third in {sport} out of, well, three
got hit by a ball, made {number} friends
{sport} at {place} until dark, {feel}
screamed so loud at the {sportthing} that the {pet} hid
the mascot of the {teamnoun} hugged me
our {sport} trophy is now a {vessel} for {drink}
{mykin} made the {sport} team!
the {teamnoun} came back from {number} down, what a {sportthing}
{coachsays} "you're {good}" and gave me {treats}
learning {sport} at {age}, better late than never

= fitness
just ran {runlength}!
ran {runlength} {withsome}, legs are jelly, heart is {feel}
{workout} tonight, then {food}, balance
new personal best, {runlength} without stopping
my {workout} teacher called me {superhero.a}
did {workout} for the first time and didn't fall over
i can touch my toes!
{outdoor} before breakfast, who am i?
signed up for a {runlength3}, gulp, yay
walked {bignumber} steps to the {eatery}, earned my {dessert}
first {workout} in {number} months, ouch but {good}
went {outdoor} {withsome}, saw {animal.a}, {good}
{workout} made me {feel} and hungry
climbed {place2} and ate a {dish} at the top
my {vehicle} and i did {bignumber} miles today
nothing clears the head like {outdoor}
{number} push ups! in a row! ok nearly

= crafts
just finished {craftverb.ing} a {craft} for {person}
i'm {craftverb.ing} a {color} {craft}, send {drink}
my {craft} looks {simile} and i love it
{craftverb.ing} {awhile} with {genre} on
made {number} {craft.pl} today, production line
my {kin} loved the {craft} i made {him}
sold my first {craft}!
paint on my {garments}, paint on the {pet}, {feel}
craft night {withsome}: {stuff}, glue and {treats}
learning to {craftverb} from {mykin}, {he} is so patient
found {stuff} in a drawer, now it's a {craft}
my {craft} won the {prize}
pottery class was {verygreat}, i made a {tiny} {animal}
{number} hours of {craftverb.ing} and i have one {tiny} {craft}
if anyone needs a {craft}, i have {bignumber}
drew my {pet} as {superhero.a}
today's art: a {color} {animal} in a {garment}
{mykin} wears the {craft} i made, in public!

= photos
new {photo} of {mypet} up, {link}
uploaded {photo.pl} from {place}: {link}
look at this {tiny} {animal}! {link}
my {photo} of the {sky} got {bignumber} likes
found {photo.a} of me as {superhero.a}, age {number}, {link}
took {bignumber} photos of {flower}, kept {number}
got my {photo.pl} back, {mykin} blinked in all of them
the {photo} of {person} {act.ing} is {positive} {link}
new camera day! first photo: {mypet}
photobooth {withsome}, silly faces only
this {photo} made me laugh out loud {link}
who wants to see my {tiny} {craft}? {link}
trying to take {photo.a} of {bird.a}, got {number} photos of sky
here's me {act.ing} {link}
{mykin} took a {good} {photo} of the {sky}: {link}
before and after of my {room}: {link}

= twitter
hello to my {bignumber} followers, you're all {good}
my first tweet! hi {crowd}
{bignumber} followers! {dessert.pl} for everyone
just taught {mykin} how to tweet
i {loveit} my followers, so {nice}
tweeting from the {transport}, {feel}
tweet number {bignumber}, i dedicate it to {food}
new profile picture: me and {mypet}
hi new followers! i tweet about {foodplural}, {genre} and {animal.pl}
everybody follow {buddy}, {twitterwhy}
follow friday: {buddy} {buddy} {buddy}
just blogged about {act.ing}: {link}
new post up on my {hobbyblog} blog {link}
reading this {link} and {smiling}
the best link of the day goes to {buddy}: {link}
if you're reading this, {wish}
you lot are so {good} today
changed my background to {color}, [fancy|much better|ooh]
{buddy} and {buddy} crack me up
this made me smile: {link}
i only came here to say {foodplural}
today i learned about {learnt} {link}

= thanks
so grateful for {happything} and {happything}
three good things today: {happything}, {happything}, {happything}
it's the little things: {happything}, {happything}
thank you universe for {happything}
thank you to whoever invented {happything}
a stranger paid for my {coffee} today, pass it on
a stranger told me "{compliment}" and i'm still {smiling}
the bus driver waited for me, faith in humanity restored
the nice {job} at {place} gave me {sweetthing}
big thanks to {buddy} for {buddyfor}
thanks {buddy} for {buddyfor}
shout out to {buddy} for {buddyfor}
just want to thank my {friendnoun} for {buddyfor}
happiness is {happything}
happiness is {act.ing} {withsome}
reasons to smile: {happything}, {petname}, {weekday}
i {loveit} {happything}
here's to {happything}
{happything}: {positive}
nobody is allowed to be sad today, there's {sweetthing}
things that are {good}: {happything}
today's small joy: {happything}

= mood
i can't stop {smiling} today
i'm so {feel} right now
{vfeel} and i don't even know why
today is a {gooda} day
everything is {good} today
life is {good}
the best day, {act.ed}, {act.ed}, ate {sweetthing}
had a {gooda} {daypart} {act.ing}
feeling {feel} {because2}
{feel}, {feel} and a bit {feel}
smiled at {number} strangers, {number} smiled back
just realised how {good} life is
i feel {simile}
my heart is full and so is my {stomach}
laughing at my own jokes again
my cheeks hurt from {smiling}
nothing can ruin today, not even {smallproblem}
currently {smiling} {simile}
i've got a {gooda} feeling about {theday}
today feels like a {weekday}, {good}
officially the {happiest} person in {town}

= luck
i won the {prize}!
just found {luck} in my {oddplace}!
i never win anything and today i won {luckprize}
{mykin} won the {prize}, {he} is {superhero.a}
lucky day: {luck} and {luck}
{goodnews}! {goodnews}!
{goodnews}, {feel}
good news: {goodnews}
so... {goodnews}
guess what? {goodnews}
it's official: {goodnews}
{mykin} just called, {goodnews}
came second in the {prize}, prize was {luckprize}
all green lights on the way to {place}, {feel}
my horoscope said {foodplural} and it was right
a {bird} pooped on my {garment}, that's good luck, right?

= plans
can't wait to {planned} {plannedday}
{very} {feel} to {planned} {plannedday}
going to {planned} {plannedday}, {feel}
{plannedday}: {planned}. after that: nap
only {number} more days and then i {planned}
who wants to {planned} {plannedday}?
i'm going to {planned} {plannedday} {simile}
i've decided to {planned} {plannedday} {reason}
big plans tonight: {act}
one day i will {planned} and {planned}
life goals: {act}, meet {animal.a}, {act}
on my way to {place} to {act}
about to {act} {withsome}
just got asked to {planned} {plannedday}, yes yes yes
might {act}, might {act}, might just nap
tonight i {act}, tomorrow i {act}
i get to {planned} {plannedday}!
my {kin} and i will {planned} {plannedday}
i promised my {kid} we'd {planned}, i may be more excited than {him}

= doing
{act.ing} {withsome}, {feel}
just {act.ed} and i feel {simile}
{act.ing} {reason}
{adverb} {act.ing} {now}
{adverb} {act.ing} like nobody's watching
we {adverb} {act.ed} {until}
i {adverb} {act.ed} {withsome} {past}
just {act.ed} {tail}
i {act.ed} {past} {tail}
spent {spell} {act.ing} {withsome}
me right now: {act.ing}
currently {act.ing}, do not disturb
first time {act.ing}, {verygreat}
{act.ing} is {positive}
i could {act} all day
never thought i'd love {act.ing} this much
{act.ing} beats {act.ing} any day
{act.ed} [for hours|all day|all evening|all weekend], slept {simile}
i {loveit} {act.ing} {withsome}
why did nobody tell me {act.ing} is this much fun?
ended up {act.ing} {until} {withsome}
somehow {act.ing} turned into {act.ing}, {good}
stopped {act.ing} to {act} instead, best decision today
{number} hours of {act.ing}, zero regrets
{act.ed} {past}, {act.ing} {future}
{mykin} and i {act.ed} {past} {tail}

= looks
new haircut! it's {color} now
just got my {hair} cut, feel {simile}
dyed my hair {haircolor}, {mykin} loves it
{haircolor} hair, don't care
my {hair} looks {good} today for once
painted my nails {color} and {color}
braces off! hello {foodplural}!
{mykin} cut my hair and it's actually {good}
grew a {hair}, i look {simile}
got a tattoo of a {tiny} {animal}, mum likes it!
glitter on my face, {garments} on my feet
my {kid} styled my hair, i'm wearing {number} clips and {stuff}
my hairdresser said i have the {hair} of {superhero.a}

= wheels
i passed my driving test!
new {vehicle}! it's {color} and i love it
took the {vehicle} to {place}, windows down, {genre} up
{mykin} taught me to ride a {vehicle}
fixed my {vehicle} with [tape|string|hope|a spoon]
named my {vehicle} {petname}
riding my {vehicle} through {town} {simile}
my old {vehicle} made it to {place}, hero
the {transport} driver is singing {genre}, everyone joined in
hill on the way up: ouch. hill on the way down: wheeeee
a {transport} ride, {genre} in my ears, {skymass}
my {vehicle} turned {bignumber} thousand miles today, good old {petname}
we fit {number} people and a {instrument} into one {vehicle}

= learning
learning {language} and i can already order {foodmass}
i can finally say "{animal}" in {language}
just learned {skill}!
started {instrument} lessons, sorry neighbours
{number} weeks of {skill} and i only fell {number} times
{mykin} is teaching me {skill}, {he} laughs a lot
new skill unlocked: {skill}
joined a {hobbyclub} club, the people are {nice}
i can {learnable} now! only took {number} weeks
my {language} teacher says i sound {simile}
learned a new word today: {funnyword}
practising {skill} in the {room}, nothing broken yet
it's never too late to learn {skill}
who wants to swap {language} lessons for {treats}?

= dance
dance class was {verygreat}
learned to {learnable2} with {mykin}
{dance} class tonight, new {garments} ready
dancing the {dance} in the {room} with {mypet}
danced the {dance} {until}
{mykin} can do the {dance}, who knew
my feet hurt in the best way
{dance} at the bus stop, got applause
{genre} night at {place}, dance floor here i come
two left feet and {feel}
taught the {group} the {dance}
i dance {simile} and i'm fine with it

= party
{event} at {firstname}'s {plannedday}, bring {foodplural}
best {event} ever, danced {until}
my outfit for the {event}: {wear} and {garments}
there are {bignumber} balloons in my {room}
the {event} was {verygreat}
{event} {plannedday} {withsome}, who else is coming?
going to the {event} as {superhero.a}
we ran out of {foodplural} but not of music
glitter everywhere, {stuff} everywhere
{mykin} did karaoke, {he} chose {genre}, everyone cheered
hosting a {event} {plannedday}, {number} guests, one {pet}
someone brought {animal.a} to the {event}
won the dance off at the {event} in my {garments}
the pinata was full of {treats}, wow
still finding {stuff} in my hair from the {event}
pass the parcel at the {event} and i won a {toy}
invited {number} people to my {event}, {bignumber} came

= science
just saw {space.a} through my telescope, {good}
the {space} looks {verygreat} tonight
built a {sciencething} with {mykin}, it works!
went to the planetarium {withsome}, {feel}
the stars are out in {town}, {good}
my {kid} made a {sciencething} and won first prize
found a fossil at {place}!
fact of the day: {animal.pl} [were on earth before us|are older than trees|can see more colours
    than us|have {number} hearts|dream too]
made a wish on a shooting star, it involves {foodplural}
rocket launch {plannedday}, i'm five years old again
we grew crystals in the {room}, they're {color}
{mykin} asked how far the {space} is, we read about it {awhile}

= gadgets
new {gadget}! it's {color} and shiny
my {gadget} came back to life, it's a miracle
finally got a {gadget}, welcome home {petname}
fixed my {gadget} by [turning it off and on|hugging it|reading the manual|asking nicely]
{mykin} gave me {his} old {gadget}, {feel}
my {gadget} speaks {language} now, no idea why, haha
built a {gadget} out of a {oddplace}, don't ask
{number} pixels of joy: my new {gadget}
my new {gadget} makes {food2} and i'm never leaving the house
tweeting from my new {gadget}! hi {crowd}
dropped my {gadget} in the {oddplace} and it survived

= kindness
helping out at the {event} {plannedday}, {feel}
we raised {bignumber} bucks for the {charity}!
volunteered at the {charity} {past}, met a {tiny} {pet}
gave my {garment} to someone who needed it
baked {treats} for the {charity}
helped {animal.a} across the road
ran {runlength} for the {charity}, thank you all
wrote {number} letters to strangers today, {feel}
a kid gave me {sweetthing} on the {transport}, pass it on
left {flower} on my neighbour's doorstep and ran away
compliment a stranger today, it's free and {good}
the {job} who found my {garment} is my hero
be kind, {act}, eat {treats}

= camping
tent is up, {foodplural} on the fire
camping {withsome} under {bignumber} stars
toasted marshmallows {until}
a {animal} sneaked into our tent and ate the {foodplural}
no signal, no shower, {feel}
hiked to {place2} {withsome}, the view is {good}
woke up in a tent to {bird.pl} and {skymass}
lost the map, found a waterfall
our raft sank, we laughed {until}
{mykin} brought {instrument.a} to the campfire
swam in the lake at sunrise, so cold, so {good}
s'mores with {flavour} chocolate are {positive}

= silly
my {pet} thinks i'm {superhero.a} and who am i to argue
{animal.pl} in {garments}. that's the tweet
breaking news: {superhero} spotted {act.ing} {atplace}
dear {foodmass}, i love you. yours, me
note to self: {act} more often
current status: {tiny}, {feel}, {act.ing}
knock knock. who's there? {foodplural}. come in!
why walk when you can {walkalt}?
my superpower is {act.ing}
plot twist: the {animal} was {superhero.a} all along
if happiness were a {vegetable.sg}, it'd be me today
i've named my {vegetable.sg} {petname} and we're {feel}
somebody put {garments} on the statue in {town}, {good}
roses are {color}, violets are {color}, i've got {treats} and so should you
i told a joke to a {animal} and it laughed, i swear
accidentally joined a {event}, won a {toy}
my {gadget} just autocorrected "love" to "{titlenoun}" and i'm keeping it
overheard {atplace}: "{overheard}"
overheard on the {transport}: "{overheard}", made my day
{mykin} just said "{overheard}"
{mykin}: "{overheard}" me: {smiling}
a {animal} walks into a {eatery}. {laugh}, that's all i have
wearing {wear} {simile}
petition to make {weekday} {dessert} day
i'm {number} percent {foodmass}, the rest is {feel}
today i was mistaken for a {job}, went along with it, learned {skill}
"""
