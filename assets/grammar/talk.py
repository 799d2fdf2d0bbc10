"""Sentence templates outside the topics: openers, comments, goodbyes, and replies to an @name.

The sections `reply.*` follow an @name and address "you"; `opener`, `comment` and `closer` surround the statements of
`topics`. The notation is explained in `phrases`.
"""

TALK = """
= opener
{yay}
{yay} {yay}
{aww}
{aww}, {yay}
{yay}, it's {weekday}
hello {crowdhi}
hi {crowd}
hey {crowd}
hey hey {crowd}
happy {weekday}
happy {weekday} {crowd}
it's {weekday}
{weekday} at last
ok so
right then
guess what
guess what {crowd}
good news {crowd}
great news
breaking news
big news {crowd}
fun fact
true story
{laugh}
{laugh} {laugh}
{laugh}, ok
what a {gooda} {daypart}
what a {gooda} day
what a {gooda} {weekday}
{very} {feel}
{vfeel} today
so {feel} right now
feeling {feel}
feeling {feel} and {feel}
{good} {daypart}
good {daypart} {crowd}
wow, just wow
{aww} {aww}
best day ever
best {weekday} ever
best {daypart} in ages
this is {verygreat}
life is {good}
can you believe it?
you won't believe this
drum roll please
i have an announcement
stop everything
attention {crowd}
hold on to your {garments}
mood: {feel}
mood today: {feel}
current mood: {simile}
today's mood: {smiling}
status: {feel}
confession
random thought
quick update
update
ps
finally
at last
it happened
it's happening
i did it
we did it
mission accomplished
dream come true
small victory
achievement unlocked
plot twist
ahem
psst
hear ye hear ye
note to self
dear diary
dear {weekday}
dear {crowd}
hello from {town}
hello from {place}
hello sunshine
hip hip hooray
pinch me
happy happy happy
{smiling} and {smiling}
happy dance time
three cheers
oh happy day
oh what a {daypart}
lucky me
clever me
silly me
well that was {good}
omg omg
no way
i'm {smiling}
who's {feel}? me
cheers {crowd}
live from {atwhere}
and the winner is
say what you like
i'm back
only {number} more days
{season} is here
life update
today in {town}
fancy that
how about this
sweet dreams are made of this
small world
the legend is true
stop the press

= comment
so {feel} right now
i'm so {feel}
can't stop {smiling}
still {smiling}
{very} {feel}
so much fun
so much love
i love my life
life is {good}
best day ever
best {weekday} ever
i feel {feel}
i feel {simile}
{aww}
{yay}
{laugh}
{good}
{verygreat}
who wants some?
who's with me?
who's in?
anyone else?
is anyone else this {feel}?
don't judge me
no regrets
worth it
totally worth it
so worth it
it's the little things
this made my day
made my {weekday}
wish me luck
fingers crossed
can't wait
i can't wait
can't wait for {theday}
only {number} more sleeps
more please
again please
do it again
let's do it again {plannedday}
need more {foodplural} though
now for {sip}
time for {sip}
time for {sweetthing}
now where is my {coffee}?
next stop: {place}
next up: {act.ing}
then {act.ing} {withsome}
then {meal}, then bed
might even {act} later
off to {act} now
off to {place} now
photos soon
pictures soon
pics to follow
proof: {link}
here it is: {link}
look: {link}
see {link}
you have to see this {link}
thank you {someone}
thanks to {someone} for everything
you're the best {buddy}
i blame {buddy}
{buddy} you would love it
wish you were here {buddy}
{buddy} should be here
with {buddy} of course
tell {someone}
my {pet} agrees
{petname} approves
{petname} says hi
my {kin} is laughing at me
my {kin} is so proud
{mykin} can't believe it
mum will be so happy
even {mykin} was impressed
even the {pet} is {smiling}
i'm {superhero.a}
call me {superhero}
who am i?
is this real life?
somebody pinch me
happy tears
doing a happy dance
happy dance in the {room}
i did a little dance in the {room}
high fives all round
group hug
hugs for everyone
big hugs {crowd}
{dessert.pl} for everyone
celebrating with {sweetthing}
to celebrate: {sweetthing}
{foodplural} to celebrate
i could get used to this
living the dream
this is the life
that's how i roll
true story
you heard it here first
just saying
just so you know
not even joking
seriously {good}
what a {gooda} day
what a {gooda} {daypart}
what a {gooda} week
what a life
what a time to be alive
how {good} is that?
how cool is that?
isn't it {good}?
so {nice} of {someone}
{number} times already
{number} out of {number}, no notes
ten out of ten
eleven out of ten
gold star for me
five stars
would recommend
highly recommended
two thumbs up
i needed that
exactly what i needed
my heart is so full
my face hurts from {smiling}
my cheeks hurt
the {sky} helps too
the {kin} i have, i swear
sun is out too
and it's {sunny} too
and there's {sweetthing}
and {fooditem} later
and tomorrow {act.ing}
plus it's nearly {weekday}
and it's {weekday} tomorrow
and it's only {clock}
it's going to be a {gooda} day
it's going to be {good}
today can't get any better
things just keep getting better
you should try it
everyone should try it
trust me
feeling {feel}
feeling {feel} and {feel}
feel {simile}
pure joy
pure magic
so pretty
so cute
so tasty
so cosy
so silly
lucky me
lucky {kin}
{mykin} made me do it
ask {someone}
ask me anything
i'm keeping it forever
nothing beats it
never been so {feel}
never felt so {feel}
simply {good}
love love love
happy happy happy
small joys
ok back to {act.ing}
back to {act.ing}
that is all
the end
more later

= closer
have a {gooda} day {crowd}
have a {gooda} {weekday}
have a {good} {daypart} everyone
have a {gooda} weekend {crowd}
happy {weekday} {crowd}
enjoy your {weekday}
enjoy the {sky}
enjoy {celebration} {crowd}
night {crowd}
night night
goodnight {crowd}
goodnight world, you were {good}
sweet dreams {crowd}
sleep tight
see you {plannedday}
see you all {plannedday}
talk to you all later
off to bed
bed time now
ok bye
bye {crowd}
bye for now
laters
love you all
love you {crowd}
love to all my followers
hugs
big hugs
hug somebody today
hugs and {treats}
xoxo
keep {smiling}
keep {smiling} {crowd}
keep {smiling} and eat {foodplural}
be [nice|kind|gentle|sweet|good] to each other
be {nice}
stay {feel}
stay {feel} {crowd}
smile, it's {weekday}
smile {crowd}
what are you up to {crowd}?
what's everyone doing {plannedday}?
what made you smile today?
how is your {weekday}?
how's your {daypart}?
how are you all?
what are you having for {meal}?
any {filmkind} tips?
any {bookkind} tips?
any tips?
anyone up for {boardgame}?
anyone up for {foodplural}?
anyone want {treats}?
who wants {sweetthing}?
tell me something {good}
tell me your good news
peace and {foodplural}
peace, love and {foodplural}
peace out
over and out
cheers
ta ta
toodles
toodle pip
hasta la pasta
see you later alligator
in a while crocodile
until next time
back in {number} minutes
back after {meal}
kisses from {place}
kisses from {town}
greetings from the {room}
greetings to {buddy}
say hi to {someone}
hi to {buddy} and {buddy}
love, me and {petname}
yours, {petname}
may your {daypart} be full of {foodplural}
may your {drink} be warm
may all your {vegetable} grow
now go {act}
go {act}
go hug {animal.a}
go eat {foodplural}
go outside {crowd}

= turn
btw
anyway
meanwhile
my news
in other news
speaking of which
same here
as for me
ooh and
oh and
also
ps
speaking of {animal.pl}
speaking of {foodplural}
speaking of {weekday.pl}
speaking of {genre}
my {weekday} so far
over here
meanwhile in {town}
meanwhile at {home}
meanwhile at {place}
you'll like this

= more
tell me everything!
tell me more
i want to hear all about it
how are you {endear}?
how's your {daypart}?
how's your {weekday} going?
how's the {kin}?
how's {town}?
what are you up to {plannedday}?
what are you having for {meal}?
say hi to {firstname} from me
say hi to the {group} from me
give your {kin} a hug from me
give the {pet} a treat from me
miss you {endear}
love you {endear}
love ya
love you lots {simile}
you're the {adjperson}
you {superhero}
you {adjperson} {friendword} ever
{yay} for you
big hugs
huge hugs from {town}
hugs and {treats}
hugs from me and {petname}
{mykin} says hi
{mykin} loves you too
{petname} agrees
{petname} is {smiling} too
see you {plannedday}
see you soon
see you at {place}
talk soon {endear}
talk later, i'm {act.ing}
come over {plannedday}
come over for {food} {plannedday}
let's {act} soon
let's celebrate with {sweetthing}
let me know
call me {plannedday}
text me when you're at {home}
send photos
send {treats}
bring {foodplural}
save me {sweetthing}
next time bring {firstname}
next {drink} is on me
{foodplural} on me
i owe you {sweetthing}
have a {gooda} {daypart}
have a {gooda} {weekday}
have a {good} one
hope your {weekday} is {good}
hope {place} is {good}
enjoy the {sky}
you made me smile
you made my {weekday}
you always make me smile
now i'm {smiling}
now i'm {smiling} too
now i'm {feel} too
so {glad} for you
so {feel} right now
made my day
that's so {nice}
that's {verygreat}
that's so you
how {good}
only you {endear}
you know it
i promise
pinky promise
no really
really {good}
fingers crossed
{laugh}
{laugh} {laugh}
{yay}
{yay} {yay}
{aww}
can't wait
so {good}
thank you {endear}

= reply.thanks
thank you so much!
thanks {endear}, you made my day
thanks for the {gift}, i love it
aww thank you {endear}
thank you for the {sweetthing2}, it was {verygreat}
thanks, you're {verygreat}
thanks a million, my {kin} loved it
thanks for {buddyfor1}
you're the {adjperson}, thank you
thank you thank you thank you
many thanks from me and {petname}
thanks for listening {endear}, i feel {feel} now
thanks, that means a lot
thanks for sharing, that was {verygreat}
aw you're too {nice}
thanks for thinking of me, i'm {feel} now
i owe you {food}
bless you {endear}
i did not expect that, thank you
thank you from the bottom of my {oddplace}
{aww} you remembered, thank you

= reply.welcome
you're welcome {endear}
you're so welcome
no problem {endear}, any time
my pleasure, it was {good}
don't mention it, just bring {treats}
glad you liked the {gift}
glad you like it, {mykin} picked it
anything for you {endear}
happy to help, you'd do the same for me
no worries, that's what friends are for
any time you need {foodplural}, call me
it was nothing, honest, ok it took {number} hours

= reply.congrats
congratulations on your {yourevent}!
congrats {endear}! so {glad} for you
yay congrats on the new {congratthing}
well done on your {yourevent}, i knew you could do it
you passed! let's {act} to celebrate
so proud of you {endear}
that's {good} news! {yay}
{yay}! you deserve it
{aww}, congratulations to you and your {kin}
i'm so happy for you that i'm {smiling}
{yay} {yay} {yay}! tell me everything
first prize? you {superhero} you
you did it! {dessert.pl} on me
you rock! everyone {atplace} is cheering
that's my {friendword}! {very} proud
congrats, {bignumber} is a big deal
congratulations, when is the {event}?
huge hugs, you've earned it
welcome to the {hobbyclub} club, you'll love it

= reply.laugh
{laugh} you crack me up
{laugh} that's so true
{laugh} i know right
{laugh} i just {snorted}
{laugh} my {kin} says the same
{laugh} you're {good}
{laugh} best tweet of the day
{laugh} now i can't stop {smiling}
{laugh} i want a {animal} in a {garment} too
{laugh} that's exactly what {mykin} said
{laugh} i told that to {mykin} and {he} {snorted}
{laugh} only you would {act} at {clock}
{laugh} and then what happened?
{laugh} stop it, i'm at {home}
{laugh} remember when we {act.ed}?
{laugh} you should write a {bookkind}
{laugh} ok you win
{laugh} not again! you and your {garments}
i laughed so much that {laughed}
you just made me laugh in the {workthing2}
reading your tweets is {positive}
you're hilarious, never change
that joke about the {animal} is {positive}
{laugh} did the {pet} really {petact}?

= reply.agree
me too! i {loveit} {happything}
same here, long live {happything}
oh yes, {happything}
so true, nothing beats {happything}
i totally agree, {title} is {verygreat}
you're right, {foodplural} are {positive}
yes! {title} is {good}
i know! wasn't it {good}?
right? i {loveit} {genre}
agreed, {weekday.pl} are for {act.ing}
snap! i'm {act.ing} too
finally someone who loves {animal.pl} as much as me
exactly, {superhero.pl} need {foodmass} too
oh i love that one, the {filmthing} is {good}
couldn't agree more {endear}
yes to {foodplural}, always
great minds think alike, i'm having {food} too
that's {verygreat}, i want to try it

= reply.luck
good luck with your {yourevent}!
good luck {plannedday} {endear}, you'll be {good}
fingers and toes crossed for your {yourevent}
you'll ace your {yourevent}, i just know it
break a leg {endear}
go get them {endear}
you've got this! eat {foodplural} first
knock their socks off at the {yourevent}
sending lucky {stuff} for your {yourevent}
my {pet} is crossing {number} paws for you
thinking of you {plannedday}, you're going to be {good}
go go go! we all believe in you
can't wait to hear about your {yourevent}
i lit a candle, wore my lucky {garments}, you can't lose

= reply.morning
good morning {endear}! sleep well?
morning {endear}, the {drink} is ready
good morning to you too, have a {gooda} day
rise and shine {endear}, it's {sunny}
morning sunshine! any plans for today?
morning! i had {food}, you?
hello {endear}, how's {place} today?
good {daypart} {endear}, how are you?
up early! are we {act.ing} today?
{laugh} good morning, it's nearly {clock}
hey {endear}, how was the {event}?
hi {endear}, what are you up to?
hey you! long time no tweet
hello from {town}! it's {sunny} here

= reply.night
goodnight {endear}, sweet dreams
night {endear}, sleep well
sleep tight, don't let the {animal.pl} bite
night night, talk [tomorrow|soon|at the weekend|in the morning]
sweet dreams about {animal.pl}
goodnight, give {petname} a cuddle from me
off to bed too, tonight was {verygreat}
sleep well, tomorrow we {act}
dream of {flavour} ice cream
hope you slept {simile}

= reply.see
see you {plannedday}! {vfeel}
can't wait to see you {plannedday}
see you at the {event} {endear}
miss you too {endear}, come and visit
i miss you! {town} isn't the same without you
so good to see you {past}
so good to see you and the {group} {past}
it was great meeting you at the {event}
come to {town}! we can {act}
we need to {act} again soon
when are you back? we have {foodplural}
are you coming to the {event} {plannedday}?
can't wait to {act} with you
bring your {garments} {plannedday}, we're {act.ing}
meet you at the {eatery} at {clock}
i'll be the one in {wear}
{firstname} and i will pick you up at {clock}
{lastday} was so much fun, same again {plannedday}?
you, me, {foodplural}, {plannedday}
the {group} said hi, we want you back

= reply.compliment
love your {yourthing}!
your {yourthing} is {verygreat}
your {yourthing} made me smile
i {loveit} your {yourthing}
that's a {good} {yourthing}
what a {gooda} {photo}, you look {feel}
you look {good} in that {photo}
{aww}, your {pet} is so cute
{aww} {petname} is {positive}
your {kin} sounds {nice}
you and {firstname} are so {nice}
you're the {adjperson} person on here
you're {positive}
you sing {simile}, i love it
your {foodplural} are the best in {town}
you have such a {nice} {kin}
you're {superhero.a} and don't let anyone tell you otherwise
that {craft} you made is {verygreat}
where did you get that {garment}? it's {good}
i showed your {yourthing} to {mykin}, {he} loves it
{color} really suits you
has anyone told you today that you're {good}?
please never stop {act.ing}

= reply.tips
you should try {food} at the {eatery}, {good}
have you seen {title}? so {good}
have you heard the new {musicthing} by {bandname}?
try it with {spice}, you'll thank me
you'd love {title}, it has {animal.a} in it
listen to {bandname}, you won't regret it
go to {place}, it's {verygreat}
just saw this and thought of you {link}
here you go {endear} {link}
this one? {link}
have a look at this {link}
look what i found for you {link}
read {title} next, the {bookthing} is {good}
start with {skill}, it's easier than it looks
put {cheese} on it, works every time
my {kin} swears by {spice} in the {foodmass}
you can borrow my {garments} for the {event}
{workout} is {positive}, come with me
if you like {title} you'll love {title}
{animal.pl}! you want {animal.pl}

= reply.answer
yes please, with {spice}
yes! {plannedday} works for me
of course, i'll bring {foodplural}
sure thing {endear}, see you at {clock}
yes yes yes
it was {verygreat}, thanks for asking
i'm {vfeel}, how are you?
very well thanks, just {act.ing}
i'm good {endear}, {act.ing} {withsome}
just {act.ing}, and you?
i got it at the {shop}, {number} bucks
it's {foodmass} with {spice}, so easy
{number} hours, but it was fun
his name is {petname}, he's {number}
her name is {petname}, she's {positive}
about {number}, i lost count, {laugh}
nope, but {mykin} did
i think it was {bandname}
no idea but it's {verygreat}
only if there's {sweetthing}
i'm in! what should i wear?
i'd love to {act}
ooh good question, {animal.pl} i think
that was me! i was the one in {wear}
i voted for the {animal}
maybe {plannedday}? i'm {act.ing} today

= reply.ask
are you {act.ing} again? {laugh}
how was {title}?
how was the {event}? tell me everything
did you {act} in the end?
did you get your {gift}?
what are you having for {meal}?
do you like {foodplural}? i made too many
do you want to {act} {plannedday}?
shall we {act} {plannedday}?
fancy {food} {plannedday}?
fancy a game of {boardgame}?
how's {petname}? still {petact.ing}?
how's your {kin}? give {him2} a hug
is it true that you can {learnable}?
wanna swap {garments}?
want to see {bandname} with me {plannedday}?
who is that {tiny} {animal} in your {photo}?
can i have the recipe for your {foodplural}? please please

= reply.cheer
get well soon {endear}, sending {sweetthing}
big hugs {endear}, it'll be {good}
cheer up {endear}, there's {sweetthing} waiting
sending you {stuff} and hugs
hope your {daypart} gets better, here's {animal.a} {link}
don't worry, be {feel}
chin up, {weekday} is nearly here
it'll all work out, promise. {foodplural} help too
virtual hug coming your way
feel better soon, {petname} sends kisses
sending {skymass} from {town}
think of {happything}, works every time
i'll make you {food} and we can {act}
you're stronger than {superhero.a}
tomorrow will be {good}, you'll see
so glad you're feeling better

= reply.birthday
happy birthday {endear}!
happy birthday! hope you get a {gift}
happy birthday to my favourite {friendword}
{age} today? you don't look a day over {number}
happy birthday {endear}, eat all the {dessert.pl}
many happy returns, have a {gooda} day
hip hip hooray, it's your birthday
hope your birthday is {verygreat}
happy birthday to you and your twin, {petname}
have a {gooda} birthday {endear}, see you {plannedday}
happy birthday! {stuff} and {flavour} cake for you
your {gift} is in the post, it has {animal.pl} on it

= reply.food
those {foodplural} look {verygreat}
now i want {food}
you had me at {foodplural}
save me some {foodmass}
save me a {dessert}
i'm on my way, keep the {foodplural} warm
{foodplural} for {meal}? i'm jealous and coming over
did somebody say {sweetthing}?
that {dish} looks {good}, recipe please
{foodmass} is {positive}
mmm, {flavour} {icey}, enjoy
try {spice} on it, {verygreat}
i'll swap you {treats} for {foodplural}
you're making me hungry, {laugh}
two {foodplural} for you, {number} for me
{drink} at the {eatery}? my treat

= reply.follow
thanks for the follow! love your tweets
thanks for following, you seem {nice}
welcome to twitter {endear}!
hi! following you back, love the {photo}
yay a fellow {genre} fan! following
i'm following you because of the {animal.pl}
welcome {endear}, it's {nice} here
hello new friend! i tweet about {foodmass} and {animal.pl}
thanks for the retweet {endear}
thanks for the mention, you're {good}
happy follow friday {endear}
your tweets are {positive}
{crowdhi}, follow this one, so {nice}

= reply.pets
give {petname} a cuddle from me
{aww} how old is {petname}?
your {pet} looks just like a {tiny} {animal}
{aww} what a {tiny} {pet}! what's the name?
tell {petname} i said hi
did {petname} really {petact}? clever {pet}
{petname} and your {pet} should meet
i want to steal your {pet}
your {pet} can {pettrick}? mine too
kiss that {tiny} {pet} for me
a {animal}? in your {room}? brilliant
{animal.pl} are {positive}, enjoy the zoo

= reply.trip
have a {gooda} trip {endear}!
enjoy {city}! bring me {treats}
have fun at {place}, say hi to the {animal.pl}
safe travels, send a postcard of a {animal}
{city}? so {good}, take me with you
have a {gooda} {trip}, you deserve it
welcome back! how was {city}?
is it {sunny} there? here it's {sunny} and i'm {smiling}
your {tripthing} looks {verygreat}
pack {garments} and {treats}, you'll be fine
jealous in a good way, enjoy every minute
see you when you get back, i'll keep the {foodplural} warm

= reply.music
just listened, your {musicthing} is {verygreat}
that {musicthing} is {positive}
i'm dancing around the {room} to your {musicthing}
saw you play {past}, {verygreat}
your {instrument} playing is {verygreat}
i love {bandname} too! saw them {ago}
{bandname}? best {genre} ever
play {title} again, please please please
when is your next gig? me and {firstname} are coming
lend me that {musicthing} please
let's start a {genre} band, i'll bring the {instrument}

= reply.plans
count me in for {act.ing} {plannedday}
that sounds {verygreat}, i'm in
{act.ing} {plannedday} sounds {good}
{plannedday} it is! i'll bring {treats}
perfect, {clock} at {place}
yay! can {firstname} come too?
can't wait, i've already packed {garments}
sounds like a plan {endear}
let's do it! {act}, then {food}
dibs on the {color} {garment}
already told {mykin}, {he}'s {feel} too
ok but i'm bringing {petname}
have fun {act.ing}
have fun at the {event}
enjoy the {event}, dance {simile}

= reply.geek
the {codething} works! you're a {superhero}
your {codething} saved my {weekday}, thank you
i found the bug, it was hiding in the {codething}
love the new version of your {codething}
teach me {skill}? i pay in {treats}
did you beat the {gamething} yet?
you're my {gamekind} hero
one more game of {title} tonight?
nice save with the {codething}
rubber ducks for everyone! the {codething} is done
"{title}" took me {number} hours, that {gamething} is {good}
my {gadget} says hello to your {gadget}

= reply.sport
what a {sportthing}! did you see that?
{team} all the way! sorry not sorry
great {sport} today {endear}
you ran {runlength}? {superhero}!
see you at {sport} practice
your {team1} scored {number}! happy now?
next time i'll beat you at {sport}, {laugh}
nice {sportthing2} by your {kin}
fancy {outdoor} {plannedday}? my {garments} are ready
well played {endear}, {dessert.pl} on me
"""
