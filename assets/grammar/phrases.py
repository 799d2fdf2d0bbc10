"""Phrases of the embedded corpus: the rules between words and sentences.

A rule starts with `= name`; each following line is one alternative. `{word}` expands a rule, `{word.ing}` inflects
the result, `[a|b|]` picks one of its parts. Verb phrases are in the base form, so that a sentence can use `{act}`,
`{act.ed}` or `{act.ing}`.
"""

PHRASES = """
= mykin
my {kin}
= person
3*my {kin}
2*{firstname}
= someone
3*my {kin}
2*{firstname}
2*my {friendnoun}
2*{buddy}
= withsome
with my {kin}
with {firstname}
with my {friendnoun}
with {buddy}
with the {group}
with {firstname} and {firstname}
with my {pet}
= mypet
3*my {pet}
{petname}
{petname} the {pet}
our {tiny} {pet}
= petwho
3*my {pet} {petname}
{petname}
{petname} the {pet}
= crowdhi
2*{crowd}
twitter

= bandbare
3*{bandadj} {bandnoun}
{bandnoun}
= bandname
2*the {bandadj} {bandnoun}
{bandadj} {bandnoun}
the {bandnoun}
= title
2*the {titleadj} {titlenoun}
the {titlenoun}
{titleadj} {titlenoun}
the {titlenoun} and the {titlenoun}
{titlenoun} of the {titleadj} {titlenoun}
the {titleadj} {titlenoun} [2|3]
= team
2*the {town} {teamnoun}
the {teamnoun}
= town
{townstart}{townend}
= city
2*{town}
the big city
the coast
the countryside
the islands
the far north

= future
tomorrow
this weekend
next week
next weekend
next {weekday}
on {weekday}
in {number} days
after {meal}
tonight
in {number} weeks
this {daypart}
later
this {season}
in {month}
= plannedday
tomorrow
this weekend
next {weekday}
on {weekday}
this {weekday}
on {weekday} [night|morning]
tonight
= past
last night
yesterday
this morning
on {weekday}
earlier
last week
just now
today
last {weekday}
= now
today
right now
this {daypart}
tonight
this {weekday}
all {daypart}
= ago
{number} years ago
when i was {number}
last {season}
back in school
{number} weeks ago
in {month}
= theday
tomorrow
this weekend
next {weekday}
{weekday}
{weekday} [night|morning]
the {event}
the {trip}
tonight
= lastday
yesterday
last night
last {weekday}
the {event}
the {trip}
{weekday} night
= spell
all [day|morning|afternoon|evening|night|weekend]
the whole [day|morning|afternoon|evening|weekend]
half the [day|morning|night]
{number} hours
a whole hour
every {weekday}
= awhile
all [day|morning|afternoon|evening|night|weekend]
the whole [day|morning|afternoon|evening|weekend]
half the [day|morning|night]
for {number} hours
for a whole hour
every {weekday}
= glad
happy
proud
excited
thrilled
chuffed
pleased
delighted
= until
until {clock}
until sunrise
until my {feelpart} hurt
until the sun went down
until we couldn't move
until the neighbours knocked
= feelpart
cheeks
feet
fingers
arms
sides
toes

= verygreat
2*{very} {good}
{good}
= vfeel
2*{very} {feel}
{feel}
= positive
the best thing ever
pure happiness
a dream come true
the highlight of my [day|week|month|year]
everything i hoped for
the cutest thing ever
exactly what i needed
my new favourite thing
worth the wait
worth every penny
better than {food}
better than [chocolate|christmas|a day off|winning the lottery]
a total {superhero}
like a hug for [the|my] [soul|ears|brain|tummy]
the stuff of dreams
a little bit magic
the sweetest surprise
a masterpiece
true love
pure gold
the bee's knees
the cat's pyjamas
[just|] what the doctor ordered
like being five again
my idea of heaven
= loveit
4*love
adore
am loving
am obsessed with
am crazy about
am in love with
[really|totally|still] love
will never get tired of
can't get enough of
am a huge fan of
am hooked on
= smiling
smiling
grinning
giggling
dancing
singing
laughing
bouncing
beaming
skipping
humming
glowing
purring
whistling
twirling
= happything
the smell of [fresh bread|rain|coffee|cut grass|old books|pancakes|the sea|sunscreen|clean
    sheets|pine trees|popcorn]
the sound of [rain|the sea|birds|laughter|{instrument.a}|church bells|the ice cream van|waves]
[fresh|warm|clean] [sheets|socks|bread|towels|pyjamas]
long [baths|walks|weekends|phone calls|breakfasts|naps]
{color} {garments}
{adjtime} {daypart.pl}
finding {luck}
{weekday} [mornings|nights|afternoons]
{outdoor} in the [rain|sun|snow|morning]
{foodplural} for {meal}
{dessert.pl}
{drink} in [bed|the sunshine|the garden|my favourite mug]
a {vessel} of {drink}
handwritten [letters|postcards|notes]
{genre} music
{filmkind.pl}
{animal.pl}
{flower}
big [hugs|puddles|breakfasts|woolly jumpers|bowls of {foodmass}]
{act.ing}
dancing in the [kitchen|rain|shower|supermarket]
{stuff}
my {garment}
inside jokes
the first [day|week] of {season}
{season} [evenings|mornings|sunshine]
a good [book|joke|nap|laugh|hug|cry at {filmkind.a}]
{treats} and {drink}
people who [smile at strangers|sing in the car|wave at trains|talk to their plants|hum|share their
    {treats}]
{dogkind.pl}
the word
    "[wobble|pudding|snorkel|noodle|kerfuffle|bumblebee|dollop|pumpernickel|wigwam|flabbergasted]"
{celebration}
= adjtime
lazy
sunny
rainy
quiet
cosy
slow
early
snowy
= foodkind
{foodplural}
{foodmass}
{dish.pl}
{dessert.pl}
{treats}
{flavour} {icey}
{homemade} {foodplural}
{homemade} {foodmass}
{foodplural} with {cheese}
= food
2*a {dish}
2*some {foodmass}
2*{foodplural}
a plate of {foodplural}
a bowl of {foodmass}
= homemade
homemade
leftover
grandma's
fresh
hot
crispy
spicy
free
cold
vegan
extra large
secret recipe
= fooditem
2*{homemade} {foodplural}
2*{homemade} {foodmass}
{foodplural} with {cheese}
{foodmass} and {foodplural}
{foodmass} with extra {cheese}
{foodplural} with {spice}
{dish.a}
{dessert.a}
{treats}
{flavour} {icey}
fresh {fruit}
= icey
ice cream
milkshake
pudding
cake
yogurt
muffins
cupcakes
frosting
smoothie
cookies
= sweetthing
a {dessert}
{treats}
a bag of {treats}
a slice of {slicecake}
{flavour} ice cream
a scoop of {flavour} ice cream
{flavour} {icey}
a box of {treats}
a whole {dessert}
= slicecake
carrot cake
cheesecake
apple pie
banana bread
chocolate cake
lemon cake
pecan pie
birthday cake
pizza
coffee cake
= sip
a {vessel} of {drink}
a {coffee}
{drink}
a [big|huge|warm|giant|nice] {vessel} of {drink}
= colored
2*{color}
{pattern}
= wear
a {colored} {garment}
{colored} {garments}
a [new|vintage|fluffy|sparkly|second hand|handmade|woolly|silk|denim|tiny] {garment}
[new|vintage|fluffy|sparkly|fuzzy|handmade|woolly|comfy|ridiculous] {garments}
= atplace
3*at {place}
at {home}
in {town}
on the [train|bus|ferry|sofa|balcony|roof|beach|swing]
in the [bath|garden|kitchen|sunshine|car|library|rain|hammock]
= eat
{cookverb} {foodplural}
{cookverb} {foodmass}
eat {sweetthing}
eat {fooditem}
have {food} for {meal}
dip {foodplural} in {foodmass}
try {food} at the {eatery}
order {food}
bake {treats}
bake a {dessert}
make {flavour} {icey}
put {spice} on {foodplural}
drink {sip}
share a {dish} {withsome}
pick {fruit}
have {meal} at the {eatery}
have {meal} in bed
grab [a bite|{meal}|a {dish}|some {treats}] {withsome}
= actout
go {outdoor}
go {outdoor} {withsome}
go to {place}
walk [along|by] the [river|beach|canal|coast|old railway]
walk my {pet}
play {sport}
play {sport} {withsome}
have a picnic at {place}
ride my {vehicle}
ride my {vehicle} to {place}
feed the [ducks|swans|goats|squirrels|llamas|penguins]
chase [butterflies|bubbles|the ice cream van|my {pet}|waves|rainbows]
climb [a tree|a hill|a mountain|the big dune|a lighthouse]
build a [sandcastle|snowman|den|campfire|treehouse|snow fort]
watch the [sunset|sunrise|clouds|boats|stars|ducks|waves|fireworks]
lie in the [sun|grass|hammock|park]
jump in [puddles|the lake|the pool|a pile of leaves]
explore {town}
explore {place}
take photos of [{flower}|{animal.pl}|the {sky}|strangers' dogs|{bird.pl}|my {pet}]
fly a kite
run {runlength}
race [{someone}|my {kin}] to the [bus stop|ice cream van|sea|gate]
spot a {bird} and {number} {animal.pl}
collect [shells|leaves|conkers|pebbles|fossils|pine cones|feathers]
hunt for [fossils|mushrooms|easter eggs|treasure|crabs|sea glass]
visit {place} {withsome}
get lost in {town}
skim stones
swing on the swings
roll down [a|the] hill
= acthome
watch {filmkind.pl}
watch a {filmkind} {withsome}
watch {showkind.pl}
watch cartoons in my {cozywear}
read a {bookkind}
read [in bed|in the bath|under a tree|by the fire]
listen to {genre}
listen to {bandname}
listen to the rain
play {boardgame}
play {boardgame} {withsome}
play a {gamekind}
play my {instrument}
learn {language}
learn to {learnable}
nap [on the sofa|in the sun|with my {pet}|in the hammock]
sleep in
clean the {room}
paint the {room} {color}
dance around the {room}
sing in the [shower|car|kitchen|lift]
tidy the {room}
bounce on the bed
build a blanket fort
cuddle my {pet}
cuddle the {pet}
teach my {pet} to {pettrick}
look at old [photos|yearbooks|letters|home movies]
write [letters|postcards|songs|poems|a story|silly poems]
text {someone}
call my {kin}
video call my {kin}
tell [bad|terrible|silly|long] jokes
do the {chore} to {genre}
do absolutely nothing
daydream
blow bubbles
wear {wear}
try on {garments}
plan [a {trip}|the {event}|my {celebration} costume]
water the {flower}
plant {flower}
code
fix the {codething}
swap stories {withsome}
stare at the {sky}
practise {skill}
= actcraft
{craftverb} a {craft}
{craftverb} a {craft} for {someone}
{craftverb} a {color} {craft}
draw {animal.pl}
draw [silly faces|dinosaurs|robots|comics|mermaids|dragons|maps of made up places]
make [cards|jam|candles|soap|bunting|paper planes|friendship bracelets|a
    lantern|lemonade|birdhouses]
sew [buttons|patches|sequins] on my {garment}
paint {animal.pl} on the {furniture}
restore an old {furniture}
carve a {animal} out of [wood|soap|a pumpkin]
throw [pots|clay] around
= act
4*{actout}
4*{acthome}
2*{actcraft}
3*{eat}
= cozywear
pyjamas
dressing gown
onesie
slippers
fluffy socks
bunny slippers
= learnable
[juggle|skate|surf|knit|whistle|drive|drum|swim|sail|ski|waltz|crochet|code|fence|tap
    dance|yodel|cook|type]
play the {instrument}
speak {language}
dance the {dance}
bake {treats}
make {foodplural}
ride a unicycle
fold paper {animal.pl}
= pettrick
[sit|roll over|high five|fetch|shake hands|spin|dance|catch|wave|bow|jump|whistle|sing|play dead]
fetch [my slippers|the paper|the remote|a ball|the post]
open [doors|the fridge|the fence]
say [hello|please|pizza]
play football
= petact
chase [{his} own tail|a {insect}|the postman|a leaf|the vacuum cleaner|{his} reflection|a laser
    dot|bubbles|pigeons]
fall asleep [on my {garment}|in the {oddplace}|on my lap|on the keyboard|in {his} dinner|upside
    down|under the {furniture}]
steal [my {dish}|a sausage|one of my {garments}|the {foodplural}|my seat|my pillow|the last
    cookie|my sock]
learn to {pettrick}
bring me [a leaf|one sock|a stick|half a worm|a {insect}|the remote|{his} favourite toy|a pine
    cone]
sit on [my laptop|my head|the newspaper|my homework|the {furniture}|the cake]
hide [in the {oddplace}|under the {furniture}|behind the {furniture}|my keys|a bone in my shoe]
sneeze [at the tv|on my {foodmass}|so loud it scared itself|three times in a row]
snore like a [tractor|walrus|trombone|pirate|steam train]
wait for me [by the door|at the gate|on the stairs|at the window]
make friends with [the postman|a {animal}|a {bird}|the neighbour's {pet}|the {gadget}]
jump [into the bath|over the sofa|on my bed|in every puddle|for joy]
lick [my nose|my ear|the window|the {dessert}|my ice cream]
bark at [a balloon|the moon|{his} own tail|a {vegetable.sg}|the snowman]
roll in [the mud|the grass|a puddle|the leaves|something smelly]
dream about [rabbits|biscuits|squirrels|chasing the postman|bacon]
eat [my homework|a whole {dessert}|a {dish}|a crayon|my {dessert}]
win [a rosette|best in show|a staring contest|my heart]
smile in {his} sleep
do a happy dance
cuddle up to {me}
wear a tiny {garment}
= me
me
my {kin}
the {pet}
the radiator
a teddy bear
= kidact
say {his} first [word|joke|sentence|full sentence]
take {his} first steps
lose {his} first tooth
draw [me as a {superhero}|a {animal} on the wall|our family as {vegetable}|a {tiny} {animal}]
tell me [i'm {his} best friend|a knock knock joke|a secret about {animal.pl}|clouds are made of
    {foodmass}]
laugh at [the {pet}|my {garment}|a {vegetable.sg}|{his} own feet|a sneeze|peekaboo]
dress up as a {superhero}
dress up as a {animal}
learn to [clap|wave|whistle|ride a bike|tie {his} shoes|count to {bignumber}|swim|crawl|roar|spell
    "{titlenoun}"]
ask if {animal.pl} [have birthdays|can dance|go to school|wear pyjamas|like {foodmass}|have best
    friends]
fall asleep [holding my finger|in a {foodmass} bowl|on my shoulder|mid sentence|hugging a {toy}]
hug [me for no reason|the {toy}|every tree|the {pet}|a stranger's {pet}]
eat {vegetable} [without complaining|with a smile|like a {animal}]
sing [me a song about {animal.pl}|to the {pet}|the alphabet backwards|all the way home]
give me [a sticker|half a cookie|a daisy|a {toy}|a pebble "for luck"|a paper crown]
build a [tower|rocket|castle|robot|den] out of [boxes|cushions|{foodplural}|blocks|chairs]
win {his} first [race|medal|football match|swimming badge]
name {his} {toy} "{petname}"
insist on wearing {garments} to bed
= kinact
make me {food}
teach me to {learnable}
learn to text
win the {prize}
call me "{endear}"
send me [flowers|a postcard|a parcel|a poem|{treats}|a care package|the sweetest card]
surprise me with {sweetthing}
surprise me with tickets for {bandname}
come home [early|tomorrow|from {town}|for the weekend]
tell the best [joke|story] ever
pass {his} [driving test|exam|finals|audition]
get [a new job|a puppy|a promotion|{his} braces off|a tattoo of a {animal}|{his} first
    paycheck|the part]
buy me [a {gift}|{garments}|{food}|{meal}|a {coffee}]
dance [to {genre}|in the kitchen|on the table|like nobody's watching]
text me a [photo of {sweetthing}|photo of the {pet}|hundred smileys|joke|love heart]
join twitter
discover emoticons
knit me [a {colored} {garment}|{colored} {garments}]
say yes
score the winning goal
beat me at {boardgame}
fix my {gadget}
bake {treats}
make {sweetthing}
laugh so hard {he} [snorted|cried|fell off the chair|dropped {his} {dish}]
cook {meal} for {number}
come to visit
adopt a {pet} called {petname}
join a {hobbyclub} club
write me a poem about {animal.pl}
start a {hobbyclub} blog
run {runlength}
learn the {instrument}
= goodnews
i got [the job|the part|an interview|a pay rise|a promotion|into {home2}|an upgrade|engaged|a
    raise|{grade}]
i passed my {test}
i won [{luckprize}|the {prize}|a {gift}|tickets]
i found [{luck}|my {garment}|my keys|the perfect {gift}|the perfect {garment}]
i finished [my {test}|the {titlenoun} puzzle|my {bookkind}|painting the {room}|the
    {craft}|unpacking|my taxes]
i learned to {learnable}
i can finally {learnable}
i have [tickets to see {bandname}|a new {pet}|a new {vehicle}|a day off|a date|cake|a new
    {gadget}]
we got [a puppy|the house|the keys|a kitten|tickets|married]
my {gadget} [works again|arrived|is fixed]
my {test} is [over|done|finished|in]
it's [nearly|finally|almost] [{weekday}|{month}|{season}|{celebration}|the weekend|my birthday]
= luckprize
a {toy}
{number} free {dessert.pl}
{bignumber} bucks
first prize
second place
a giant {animal} toy
a year's supply of {foodmass}
= home2
uni
college
art school
drama school
the team
the choir
the {town} {teamnoun}
the orchestra
my dream course
= planned
go to {place}
go {outdoor}
see {bandname}
see {title}
see {person}
meet {someone}
meet {someone} for [coffee|lunch|brunch|a walk|{food}]
{eat}
{act}
go dancing
throw a {event}
host a {event}
start my new [job|course|book|{craft}]
pick up [my {kin}|my new {vehicle}|our {pet}|my new {gadget}|the cake]
hang out {withsome}
visit my {kin} in {town}
= simile
like a {tiny} {animal}
like a {animal} in a {garment}
like a kid in a candy store
like {superhero.a}
like a {pet} with a new {toy}
like a burrito
like the end of a {filmkind}
like a kid on christmas morning
like {number} {animal.pl} in a {oddplace}
like a {vegetable.sg} in a {garment}
= reason
because [it's {weekday}|the sun is out|why not|you only live once|i can|i earned it|it's nearly
    {weekday}|it's {celebration}]
because {goodnews}
because my {kin} [is visiting|made {food}|said so|called]
because there's {sweetthing} at home
because of {buddy}
because {someone} is [hilarious|the best|coming over|back in town|amazing]
= tail
and i can't stop {smiling}
and it was {verygreat}
and it's only {weekday}
and i feel {feel}
and i regret nothing
and now i'm {vfeel}
and now {dessert.a}
and then {act.ing}
and nobody can stop me
and my {kin} is [jealous|so proud|laughing at me|asleep|dancing]
and the {pet} [approves|is watching|helped|is confused|wants some]
and it made my [day|week|morning|whole month|year]
and it feels {good}
and it's not even {clock} yet
and the best part is the {sweetpart}
thanks to {someone}
{simile}
= sweetpart
{flavour} {icey}
{treats}
free {drink}
company
view
smell
silence
ending
photos
leftovers
hugs
= dreamt
i could fly
i was [{superhero.a}|a {animal}|famous|a member of {bandname}|tiny|in {title}]
my {pet} could talk
i opened a {eatery}
i was {act.ing} with [a {animal}|{number} {animal.pl}|{superhero.a}|my old {job}]
we lived [in a lighthouse|on the moon|inside a {craft}|in a giant {oddplace}|under the sea|in a
    treehouse]
i found [a door in the {furniture}|a room full of {stuff}|treasure in the {oddplace}]
i ate a {tiny} {dessert}
= wear2
sandal
sundress
hoodie
woolly jumper
scarf
picnic
paddling pool
ice cream
barbecue
soup
= hisfood
my {foodmass}
grandma's {foodplural}
{mykin}'s {foodmass}
my famous {foodplural}
= treatcount
{dessert.pl}
{foodplural}
{treats}
= dishword
{dish}
{dessert}
{foodmass}
{coffee}
= nice
nice
kind
sweet
lovely
friendly
cool
funny
thoughtful
patient
down to earth
generous
welcoming
adorable
gentle
helpful
= his2
his
her
= workthing2
meeting
staff room
lift
car park
reception
corridor
canteen
conference call
= codeact
prints [{animal.pl}|hearts|{foodplural}|a tiny {animal}] [in ascii|in {color}|backwards]
[names|counts|sorts|draws] {animal.pl}
tells [jokes|the weather in emoticons|me when the {drink} is ready|my {pet} hello]
waters my {herb}
writes [poems|tweets|{genre} songs|tiny stories] about {animal.pl}
finds the nearest {eatery}
plays [{genre}|a fanfare|"{title}"] when [it works|the tests pass|it rains]
turns [text|photos|songs] into {stuff}
picks [my socks|a {filmkind}|{meal}|a {bookkind}] for me
says "{endear}" when [i log in|it crashes|it's {weekday}]
= cutest
cutest
sweetest
funniest
fluffiest
silliest
bravest
laziest
cuddliest
happiest
cleverest
loudest
= vethealth
healthy
perfect
all better
a "very good {pet}"
the best patient of the day
only a little chubby
"full of beans"
as fit as a fiddle
= mykin2
my {kin}
my {friendnoun}
{firstname}
someone
= hobbyclub
{craft}
{boardgame}
{dance}
{foodmass}
{instrument}
{dessert}
running
gardening
photography
pottery
knitting
film
astronomy
chess
robotics
drama
walking
debating
cheese
poetry
= event2
{hobbyclub}
= compliment
[nice|great|cool|lovely|love your] {garment}
you have a great [laugh|smile|voice|{garment}]
you're {good}
i miss your face
your {pet} is {good}
you look like {superhero.a}
you dance {simile}
keep {smiling}
you make the best {treats}
you smell of {flavour}
= friendact
bring {foodplural}
laugh at my jokes
answer at {clock}
{act}
send {stuff} by post
dance in the {shop}
remember my {pet}'s birthday
sing {genre} with me
= plate
pancake
mirror
plate
table
lake
= stomach
tummy
stomach
plate
calendar
fridge
inbox
= smallproblem
the {workthing}
{weekday.pl}
rain
my {subject} {test}
the {chore}
losing at {boardgame}
soggy {garments}
a missing sock
burnt {foodplural}
the queue at the {shop}
a flat tyre
= happiest
happiest
luckiest
proudest
smiliest
sleepiest
most relaxed
most excited
best fed
= because2
because of {happything}
thanks to {sip}
thanks to {happything}
because {goodnews}
for no reason
about {theday}
about {act.ing} {plannedday}
and it's only {weekday}
= buddyfor
the {gift}
the {sweetthing2}
the {photo}
the {musicthing}
the kind words
[making me laugh|being {good}|cheering me up|the advice|the link|the follow|the best {event} ever]
{act.ing} with me
teaching me {skill}
lending me {garments}
the {foodplural}
= sweetthing2
{dessert}
{treats}
{coffee}
{foodmass}
= stuff2
souvenirs
sunburnt toes
new friends
seashells
postcards
fridge magnets
bracelets
photos
recipes
hats
= room2
apartment
flat
house
cottage
studio
treehouse
place
= sportthing2
goal
point
basket
try
strike
penalty
header
slam dunk
= coachsays
coach said
my coach said
the referee said
the goalkeeper said
= runlength3
5k
10k
half marathon
triathlon
fun run
swimathon
dance marathon
relay race
= place2
the hill
the mountain
the lighthouse
the big dune
the volcano
the castle ruins
the waterfall
the glacier
the lookout tower
the old windmill
= twitterwhy
so {nice}
the tweets are {good}
funniest person here
we both love {animal.pl}
knows everything about {animal.pl}
posts the best {photo} links
tweets about {foodmass} all day
= hobbyblog
{craft}
{foodmass}
{hobbyclub}
{animal}
{dessert}
{flower.sg}
{bookkind}
= wish
you're {good}
have {sweetthing}
go {outdoor}
hug someone
{someone} says hi
i hope you find {luck}
i hope you get {food} today
call your {kin}
= learnt
{animal.pl}
{dessert.pl}
the {space}
{skill}
{instrument.pl}
{insect.pl}
the history of {foodmass}
medieval {garments}
why {animal.pl} dance
= kidthing
sleeps with a {toy}
laughs at {vegetable.sg} jokes
calls me {endear}
dances the {dance}
beats me at {boardgame}
climbs trees
wears {garments} to bed
dances {simile}
= funnyword
"{animal}" in {language}
{silly}
= silly
wobble
kerfuffle
bumblebee
dollop
snorkel
flabbergasted
wigwam
pumpernickel
lollygag
flibbertigibbet
shenanigans
brouhaha
gobbledygook
hullabaloo
whippersnapper
skedaddle
pamplemousse
doodad
bamboozle
snickersnee
gubbins
hobnob
discombobulated
= learnable2
dance the {dance}
waltz
tango
moonwalk
jive
spin
twirl
= food2
{foodplural}
{flavour} {icey}
{coffee.pl}
{treats}
= charity
animal shelter
food bank
hospital
school library
village hall
lifeboat
hedgehog rescue
donkey sanctuary
children's ward
community garden
youth club
beach clean up
= walkalt
skip
moonwalk
cartwheel
tango
skate
roll
hop
be carried
ride a {animal}
{act}
= ever
ever
i've played in ages
of all time
since {titlenoun} {number}
= me2
me
us
everyone
the whole street
= kid
4*son ~m
4*daughter ~f
3*nephew ~m
3*niece ~f
little boy ~m
little girl ~f
grandson ~m
granddaughter ~f
godson ~m
goddaughter ~f
baby boy ~m
baby girl ~f
= overheard
i'm not lost, i'm {act.ing}
is that a {animal} or your {kin}?
never trust a {animal} in a {garment}
you can't marry a {dessert}
my {pet} has a favourite {genre} song
but {animal.pl} don't wear {garments}
just one more {dessert}, i'm training
i put the {fruit} in your {garment}
he looks like a {vegetable.sg} in {garments}
are {animal.pl} real?
i would die for {foodmass}
who ate my {craft}?
i've been {act.ing} since {weekday}
the {bird} knows what it did
that's not a {dish}, that's a {toy}
i named it {petname}, we can't eat it now
the moon is just the sun in a {garment}
do {animal.pl} have knees?
i brought {stuff}, as requested
hold my {dessert}
i dreamt {dreamt}
= adjperson
best
coolest
sweetest
funniest
kindest
nicest
loveliest
most {good}
= yourthing
{photo}
{garment}
{musicthing}
blog
{pet}
{craft}
{dessert}
{gadget}
new {vehicle}
{hair}
profile picture
last tweet
{room}
{kid}
{codething}
{garden1}
handwriting
accent
drawing of {animal.a}
{bookkind}
= garden1
{gardenthing}
{flower}
= yourevent
{test}
{subject} {test}
interview
{event}
{trip}
audition
first day
driving test
{sport} match
{workthing}
gig
marathon
wedding
{plannedtrip}
= plannedtrip
trip to {town}
move to {town}
{dance} class
show on {weekday}
= atwhere
the [sofa|bathtub|kitchen|roof|hammock|{transport}|{room}|{eatery}]
{place}
{town}
= buddyfor1
the {photo}
the {musicthing}
the advice
the kind words
cheering me up
making me laugh
the {foodplural}
being {good}
the lift home
the tip about {title}
= congratthing
job
{pet}
{vehicle}
baby
house
flat
{gadget}
{room}
garden
blog
= friendword
girl
boy
friend
{superhero}
tweep
human
cousin
person
neighbour
{kin}
= snorted
snorted
choked on my {drink}
spat out my {drink}
fell off my chair
woke the {pet}
snorted in the {workthing2}
laughed on the {transport}
dropped my {dish}
= laughed
my {kin} came to check on me
i dropped my {dish}
my {pet} left the room
i cried
i got hiccups
people on the {transport} stared
my tea came out of my nose
= him2
her
him
them
= team1
{teamnoun}
"""
