"""The vocabulary of the embedded corpus: word classes, written for this project.

Each class is a name and a colon, then its items, separated by commas. `3*word` makes an item three times as likely;
`mum ~f` sets the gender of the pronoun slots `{he} {him} {his}`. The classes contain words and short compounds; phrases
are in `phrases`, sentences in `topics` and `talk`. Every name of a person, pet, town, team, band or title is invented.
"""

WORDS = """
animal: puppy, kitten, hedgehog, otter, penguin, red panda, baby elephant, giraffe, llama, alpaca,
    tortoise, hamster, guinea pig, bunny, duckling, swan, pony, donkey, goat, piglet, lamb, calf,
    owl, parrot, cockatoo, budgie, goldfish, seahorse, dolphin, whale, seal, sea lion, jellyfish,
    octopus, starfish, crab, frog, toad, newt, gecko, chameleon, iguana, turtle, koala, kangaroo,
    wombat, sloth, lemur, meerkat, squirrel, chipmunk, badger, fox cub, deer, moose, raccoon,
    beaver, polar bear, bear cub, tiger cub, lion cub, leopard, cheetah, zebra, hippo, rhino,
    camel, flamingo, peacock, pelican, puffin, toucan, platypus, armadillo, anteater, ferret,
    chinchilla, gerbil, capybara, walrus, manatee, porcupine, wallaby, mongoose, bison
dogkind: labrador, poodle, beagle, corgi, dachshund, terrier, spaniel, greyhound, husky, collie,
    pug, bulldog, sheepdog, retriever, mutt, whippet, dalmatian, schnauzer
pet: 5*dog, 5*cat, 3*puppy, 3*kitten, hamster, rabbit, bunny, budgie, parrot, guinea pig,
    tortoise, ferret, gerbil, pony, goldfish, hedgehog, labrador, beagle, corgi, terrier, spaniel,
    pug, tabby, dachshund, poodle, greyhound
petname: Biscuit ~m, Pickles ~m, Waffles ~m, Noodle ~f, Mittens ~f, Pepper ~f, Marbles ~m, Truffle
    ~f, Pudding ~f, Muffin ~f, Buttons ~m, Sprout ~m, Peanut ~m, Bramble ~f, Clover ~f, Dumpling
    ~m, Socks ~m, Ziggy ~m, Pixel ~f, Turnip ~m, Gizmo ~m, Olive ~f, Nacho ~m, Pretzel ~m,
    Jellybean ~f, Toffee ~f, Ginger ~f, Rascal ~m, Smudge ~m, Snowball ~f, Tofu ~m, Dizzy ~f,
    Wobbles ~m, Figaro ~m, Poppet ~f, Scruffy ~m, Whiskers ~m, Pumpkin ~f, Bandit ~m, Barnaby ~m,
    Luna ~f, Fidget ~m, Captain Fluff ~m, Professor Paws ~m, Lady Crumpet ~f, Sir Barkalot ~m,
    Duchess ~f, Moose ~m
bird: robin, blackbird, woodpecker, kingfisher, blue jay, cardinal, hummingbird, wren, finch,
    sparrow, heron, barn owl, swallow, nightingale, magpie, pheasant, goose, duck, chickadee,
    goldfinch
insect: ladybug, butterfly, dragonfly, bumblebee, grasshopper, caterpillar, firefly, moth, snail,
    cricket, honeybee, beetle
wildplace: hedge, pond, meadow, oak tree, bird feeder, windowsill, rooftop, riverbank, garden
    shed, apple tree, lawn, flower bed, balcony, garage, fence, chimney, puddle, wood pile,
    greenhouse

dish: burrito, cheeseburger, veggie burger, pizza, calzone, quesadilla, burger, hot dog, sandwich,
    bagel, grilled cheese sandwich, baked potato, stir fry, roast dinner, full breakfast,
    omelette, curry, lasagne, falafel wrap, club sandwich, meatball sub, shepherd's pie, chicken
    pot pie, casserole, fruit salad, caesar salad, greek salad, quiche, frittata, croissant,
    breakfast burrito, taco, toasted sandwich, noodle soup, fish pie, cheese toastie, crumpet, pot
    roast, veggie chili, pita, bowl of ramen, stack of pancakes, plate of dumplings, bowl of
    porridge, tub of popcorn, basket of fries, plate of nachos, bacon sandwich, mushroom risotto,
    tuna melt
foodmass: pasta, spaghetti, mac and cheese, sushi, fried rice, risotto, garlic bread, tomato soup,
    chicken soup, guacamole, hummus, popcorn, toast, french toast, porridge, granola, cereal,
    yogurt, cornbread, coleslaw, potato salad, gravy, mashed potato, pad thai, ramen, paella,
    gnocchi, ravioli, chowder, chili, salsa, bacon, bruschetta, gazpacho, couscous, lentil soup,
    pumpkin soup, pesto, macaroni, oatmeal, barbecue chicken, sourdough, naan bread, peanut
    butter, honeycomb, fish and chips
foodplural: pancakes, waffles, tacos, nachos, dumplings, spring rolls, fish tacos, meatballs,
    fajitas, sweet potato fries, onion rings, scrambled eggs, fried eggs, crumpets, sausages,
    ribs, pretzels, olives, pickles, noodles, enchiladas, hot wings, samosas, potato wedges, fish
    fingers, baked beans, mini pizzas, hash browns, breadsticks, crackers, roast potatoes, stuffed
    peppers, kebabs, croissants, bagels, crepes, cheese balls, veggie burgers, leftovers, tater
    tots, dim sum, tortilla chips
dessert: brownie, cupcake, cheesecake, carrot cake, chocolate cake, banana split, apple pie,
    donut, lemon tart, fruit crumble, milkshake, sundae, muffin, scone, gingerbread man, eclair,
    cinnamon roll, pecan pie, cherry pie, key lime pie, birthday cake, sponge cake, rice pudding,
    toffee apple, waffle, chocolate chip cookie, banana bread, ice cream sandwich, popsicle,
    macaroon, chocolate fountain, flapjack, trifle, creme caramel, oatmeal cookie, strawberry
    shortcake, peach cobbler, meringue, chocolate mousse, ice cream cone, lemon meringue pie,
    caramel slice, red velvet cake
treats: cookies, brownies, cupcakes, muffins, scones, donuts, jelly beans, gummy bears,
    marshmallows, chocolate truffles, toffees, lollipops, cinnamon rolls, shortbread biscuits,
    oatmeal cookies, chocolate raisins, macaroons, cake pops, caramels, lemon bars, gingerbread
    stars, profiteroles, peppermints, flapjacks, snickerdoodles, popsicles, sherbet lemons, toffee
    apples, wine gums, fudge bars
drink: coffee, 3*tea, hot chocolate, lemonade, iced tea, green tea, orange juice, apple juice,
    cocoa, chai, mint tea, ginger tea, iced coffee, smoothie, root beer, cranberry juice, cider,
    peppermint tea, espresso, strong coffee, sparkling water, mango juice, earl grey, ginger ale,
    chamomile tea
coffee: latte, cappuccino, mocha, espresso, flat white, iced latte, americano, macchiato, caramel
    latte, vanilla latte, double espresso, hazelnut latte, hot chocolate, chai latte, frappe
vessel: cup, mug, glass, pot, flask, jug, bottle, bucket, thermos, pint, vat, gallon, teacup,
    tankful
flavour: chocolate, vanilla, strawberry, mint, caramel, raspberry, lemon, coconut, pistachio,
    cherry, mango, peanut butter, banana, peach, hazelnut, cookie dough, blueberry, honeycomb, rum
    and raisin, toffee, maple walnut, pineapple, cinnamon, passion fruit, bubblegum, lime,
    apricot, watermelon, ginger
fruit: strawberries, blueberries, raspberries, cherries, grapes, peaches, mangoes, plums,
    apricots, figs, pears, apples, oranges, clementines, bananas, pineapples, watermelons, kiwis,
    blackberries, lemons, nectarines, pomegranates, cranberries, coconuts, melons, limes,
    gooseberries, dates
vegetable: tomatoes, carrots, pumpkins, peas, radishes, potatoes, onions, cucumbers, courgettes,
    peppers, beans, leeks, beets, cabbages, lettuces, spring onions, squashes, chilies,
    aubergines, artichokes, parsnips, turnips, mushrooms, sprouts, marrows
cheese: cheddar, mozzarella, brie, feta, parmesan, blue cheese, cream cheese, gouda, goat's
    cheese, halloumi
spice: cinnamon, ginger, garlic, basil, chili flakes, paprika, rosemary, thyme, nutmeg, coriander,
    cumin, black pepper, vanilla, oregano, cardamom, turmeric, maple syrup, sea salt, honey, lemon
    zest, saffron
eatery: diner, bakery, noodle bar, pizza place, taco truck, cafe, tea room, bistro, food court,
    ice cream van, pancake house, sushi bar, steakhouse, burger joint, sandwich shop, canteen,
    farm shop, deli, fish bar, curry house, milkshake bar, street market, buffet, trattoria,
    creperie, juice bar, coffee cart
cookverb: bake, cook, make, whip up, invent, burn, rustle up, order, demolish, devour, share,
    sample
meal: breakfast, lunch, dinner, brunch, supper, dessert, tea

kin: 6*mum ~f, 6*mom ~f, 6*dad ~m, 4*sister ~f, 4*brother ~m, 3*little sister ~f, 3*little brother
    ~m, big brother ~m, big sister ~f, grandma ~f, grandpa ~m, nana ~f, gran ~f, grandad ~m,
    granny ~f, aunt ~f, uncle ~m, niece ~f, nephew ~m, twin brother ~m, twin sister ~f, baby
    brother ~m, baby sister ~f, husband ~m, wife ~f, hubby ~m, boyfriend ~m, girlfriend ~f, son
    ~m, daughter ~f, stepdad ~m, stepmum ~f, godmother ~f, godson ~m, goddaughter ~f, mother in
    law ~f, father in law ~m, great aunt ~f
friendnoun: best friend, bestie, roommate, flatmate, neighbour, buddy, cousin, pen pal, lab
    partner, coworker, teammate, classmate, boss, old school friend, dance partner, study buddy,
    gym buddy, penfriend, partner in crime, favourite human, bandmate, landlady, babysitter,
    hairdresser
firstname: Katie ~f, Emma ~f, Sophie ~f, Hannah ~f, Lucy ~f, Megan ~f, Chloe ~f, Nina ~f, Priya
    ~f, Aisha ~f, Mei ~f, Rosa ~f, Carmen ~f, Ingrid ~f, Yuki ~f, Tess ~f, Abby ~f, Becky ~f, Jess
    ~f, Lauren ~f, Molly ~f, Zoe ~f, Ellie ~f, Amber ~f, Daisy ~f, Josie ~f, Leah ~f, Maya ~f,
    Nora ~f, Paige ~f, Tom ~m, Ben ~m, Josh ~m, Sam ~m, Luke ~m, Matt ~m, Danny ~m, Ravi ~m, Omar
    ~m, Kenji ~m, Diego ~m, Marco ~m, Jonas ~m, Felix ~m, Oscar ~m, Leo ~m, Adam ~m, Callum ~m,
    Ethan ~m, Finn ~m, George ~m, Harry ~m, Ian ~m, Jake ~m, Kyle ~m, Liam ~m, Nate ~m, Pete ~m,
    Rob ~m, Theo ~m
group: girls, boys, gang, crew, family, cousins, team, roomies, lads, ladies, whole family, kids,
    neighbours, band, old school crowd, choir, book club, rowing club, running club, chess club,
    knitting circle, office crowd, gamers, grandparents, twins, drama group, in laws, homework
    club, scouts, newbies
kids: toddler, baby, little one, newborn, three year old, four year old, six year old, godchild
crowd: everyone, everybody, all, world, folks, peeps, tweeps, tweeple, tweethearts, lovely people,
    friends, guys, sleepyheads, early birds, night owls, lovely followers, ladies and gents, gang,
    people, my lovelies, internet, beautiful humans, twitterverse, dear readers, campers,
    sunshines
job: teacher, nurse, baker, barista, plumber, librarian, firefighter, gardener, vet, postman,
    dentist, pilot, bus driver, carpenter, electrician, lifeguard, hairdresser, chef, waiter,
    cashier, architect, mechanic, receptionist, scientist, zookeeper, translator, photographer,
    illustrator, journalist, farmer, tailor, florist, cab driver, piano teacher, swimming coach,
    paramedic, ranger, shopkeeper, usher, substitute teacher, taxi driver, security guard, tour
    guide, magician, juggler, mime, busker

good: 4*amazing, 4*awesome, 3*great, 3*lovely, 3*brilliant, 2*fantastic, 2*wonderful, 2*perfect,
    gorgeous, beautiful, excellent, superb, incredible, fabulous, magical, delightful, epic,
    stunning, terrific, splendid, marvelous, glorious, unreal, legendary, spectacular, dreamy,
    heavenly, adorable, charming, dazzling, magnificent, outstanding, phenomenal, sensational,
    smashing, stellar, sweet, tremendous, wicked, ace, rad, unforgettable, breathtaking,
    exquisite, flawless, impressive, jolly, lush, mesmerizing, outrageous, peachy, priceless,
    refreshing, sublime, superduper, swell, top notch, uplifting, wondrous, blissful, cosmic,
    divine, enchanting, groovy, out of this world, mind blowing
gooda: 3*great, 3*lovely, 3*brilliant, 2*fantastic, 2*wonderful, perfect, gorgeous, beautiful,
    excellent, superb, fabulous, magical, delightful, epic, stunning, splendid, glorious,
    legendary, spectacular, charming, magnificent, smashing, sweet, wicked, hilarious, cosy,
    cheerful, gentle, quiet, chilled, relaxing, lazy, proper, productive, surprising, sparkling,
    busy but happy, silly, bright, peaceful, breezy, golden, sun soaked, giggly, carefree, joyful,
    cheery, blissful, dreamy, marvelous, memorable, crazy, wild, fun, super fun, jam packed,
    musical, snuggly, mellow, soothing, festive, adventurous, action packed
feel: 5*happy, 4*excited, 2*proud, 2*thrilled, stoked, pumped, over the moon, grateful, thankful,
    chuffed, delighted, relaxed, giddy, ecstatic, pleased, content, lucky, inspired, energized,
    refreshed, cheerful, hyper, blessed, optimistic, hopeful, bouncy, jolly, overjoyed, peaceful,
    merry, tickled, smiley, giggly, cozy, rested, motivated, psyched, joyful, on top of the world,
    elated, gleeful, warm and fuzzy, upbeat, perky, chipper, unstoppable, invincible, serene,
    starry eyed, buzzing
tiny: tiny, little, huge, giant, enormous, massive, wee, chubby, fluffy, wobbly, shiny, sparkly,
    fuzzy, squishy, bouncy, curly, sleepy, grumpy, cheeky, wiggly, shaggy, spotty, stripy,
    squeaky, clumsy, scruffy, fearless, mysterious, polite, elegant, ridiculous, round, majestic,
    sassy, wise old, muddy, cuddly, tubby, nosy
color: red, blue, green, yellow, purple, orange, pink, turquoise, teal, lilac, navy, mint green,
    mustard, coral, lavender, silver, gold, cream, crimson, scarlet, emerald, baby blue, hot pink,
    peach, maroon, violet, charcoal, ivory, magenta, indigo, tangerine, bright yellow, sky blue,
    cherry red, lime green, bottle green
pattern: rainbow, tartan, polka dot, striped, checked, flowery, zigzag, glittery, leopard print,
    paisley, tie dye, pinstriped, starry, dotty
garment: dress, skirt, hat, scarf, jacket, hoodie, sweater, cardigan, coat, raincoat, t shirt,
    blouse, jumper, bow tie, beret, poncho, vest, waistcoat, dressing gown, onesie, costume,
    tuxedo, tie, belt, backpack, handbag, umbrella, sunhat, swimsuit, apron, bracelet, necklace,
    watch, bobble hat, cape, tutu, kimono, sundress, trench coat, headband, purse, pocket watch,
    brooch, parka, duffel coat
garments: shoes, boots, socks, jeans, trousers, sunglasses, earrings, mittens, gloves, slippers,
    sandals, sneakers, trainers, flip flops, pyjamas, shorts, leggings, dungarees, wellies, leg
    warmers, high heels, goggles, glasses, moccasins, roller skates, football boots, ballet shoes,
    earmuffs, bunny slippers, cowboy boots, hiking boots, suspenders, overalls, cufflinks, running
    shoes, tap shoes
shop: charity shop, thrift store, flea market, bookshop, record shop, garden centre, toy store,
    antique shop, farmers market, mall, vintage shop, shoe shop, craft store, music shop, hardware
    store, pet shop, candy store, corner shop, supermarket, stationery shop, garage sale, yard
    sale, book fair, joke shop, gift shop, jumble sale, comic shop, secondhand shop, fabric shop,
    bike shop
instrument: guitar, piano, ukulele, violin, cello, flute, clarinet, trumpet, saxophone, drum kit,
    banjo, harp, accordion, harmonica, bass guitar, keyboard, trombone, mandolin, tambourine,
    recorder, xylophone, oboe, tuba, kazoo, double bass, french horn, triangle, theremin, synth,
    kettle drum, viola
genre: jazz, indie, folk, punk, disco, soul, reggae, country, classical, techno, swing, blues,
    funk, ska, pop, electronic, hip hop, bluegrass, opera, ambient, salsa, synth pop, gospel,
    rockabilly, chiptune, surf rock, acoustic, lounge, flamenco, celtic, big band, garage rock,
    brass band, a cappella
musicthing: song, album, record, playlist, mixtape, cover, remix, single, tune, chorus, melody,
    bassline, riff, soundtrack, demo, ballad, anthem, harmony, lullaby, jingle, encore, guitar
    solo, duet, music video
bandadj: Velvet, Paper, Electric, Midnight, Sunday, Plastic, Golden, Invisible, Cosmic, Dancing,
    Lazy, Secret, Crystal, Wooden, Neon, Tiny, Silver, Wandering, Sleepy, Flying, Hidden,
    Marzipan, Cardboard, Polite, Thunder, Magnetic, Sugar, Lemon, Broken, Analog, Borrowed,
    Hungry, Tropical, Arctic, Salty, Whispering
bandnoun: Pancakes, Lighthouses, Astronauts, Foxes, Teacups, Umbrellas, Satellites, Postcards,
    Otters, Kites, Tambourines, Mittens, Volcanoes, Giraffes, Bicycles, Librarians, Pirates,
    Lanterns, Bandits, Orchards, Submarines, Sparrows, Pickles, Comets, Robots, Mountains,
    Trampolines, Balloons, Crayons, Dinosaurs, Avocados, Detectives, Fireflies, Hammocks,
    Cactuses, Radios
titleadj: Last, Lost, Secret, Golden, Silent, Crooked, Lonely, Brave, Forgotten, Purple, Hidden,
    Wandering, Midnight, Frozen, Clockwork, Paper, Little, Tangled, Sleeping, Runaway, Accidental,
    Curious, Glass, Final, Crimson, Wild, Painted, Sunken, Whistling, Impossible, Distant, Tiny,
    Grand, Second, Moonlit, Reluctant, Emerald, Upside Down, Cardboard, Galloping, Perfect,
    Unlikely, Haunted, Magnificent, Copper
titlenoun: Lighthouse, Orchard, Detective, Picnic, Robot, Harbor, Carousel, Compass, Castle,
    Garden, Library, Kingdom, Train, Voyage, Island, Bakery, Circus, Planet, Dragon, Wizard,
    Violin, Summer, Winter, Forest, Machine, Letter, Mirror, Ocean, Mountain, Treasure, Umbrella,
    Cottage, Tunnel, Balloon, Meadow, Shadow, Parade, Recipe, Waltz, River, Submarine, Astronaut,
    Clockmaker, Puzzle, Penguin, Wedding, Holiday, Secret, Lantern, Teapot, Ferry, Beekeeper,
    Cartographer, Comet, Pancake, Hotel, Heist, Band, Neighbour, Sandwich, Unicorn, Pirate,
    Snowman, Typewriter, Acrobat, Sheriff, Wolf, Raccoon, Elevator, Volcano
filmkind: comedy, romcom, documentary, cartoon, musical, thriller, space movie, western, kung fu
    movie, sequel, superhero movie, monster movie, heist movie, mystery, fairy tale, silent film,
    disaster movie, courtroom drama, black and white film, pirate movie, spy movie, dance movie,
    stop motion film, road movie, detective story
showkind: cooking show, sitcom, quiz show, baking contest, nature documentary, talent show, soap,
    cartoon, detective series, gardening programme, talk show, home makeover show, puppet show,
    sci fi series, space show, game show, costume drama, antiques show, dance show, sketch show,
    reality show, hospital drama, panel show
filmthing: plot twist, soundtrack, ending, opening scene, car chase, villain, talking horse,
    wedding scene, trailer, cast, final episode, season finale, director, special effects team,
    dance number, popcorn, costume department, cliffhanger, dialogue, animation, sidekick, robot
    butler, love story, narrator, pilot episode, blooper reel
bookkind: novel, mystery, fantasy, comic, biography, cookbook, ghost story, poetry book, travel
    book, picture book, graphic novel, detective story, love story, short story, fairytale, sci fi
    trilogy, memoir, history book, puzzle book, atlas, joke book, spy novel, space opera, diary,
    adventure story, manga
bookthing: chapter, page, character, plot, ending, twist, bookmark, library card, cover, author,
    paragraph, sequel, dedication, epilogue, prologue, map, footnote, index, trilogy, reading
    list, heroine, villain, wizard

gamekind: platformer, puzzle game, racing game, farming game, strategy game, adventure game, board
    game, card game, rhythm game, dance game, role playing game, pinball machine, arcade game,
    word game, trivia game, space shooter, chess puzzle, crossword, sudoku, jigsaw, text
    adventure, beat em up, dungeon crawler, flight simulator, fishing game
gamething: boss, level, high score, secret level, final dungeon, bonus round, castle, dragon,
    puzzle, quest, trophy, side quest, speed run, mini game, hidden cave, magic sword, water
    temple, treasure chest, power up, shield, spaceship, racetrack, cheat code, joystick,
    controller, save point, leaderboard, wizard tower, golden chicken
gameboss: boss, final boss, dragon, giant crab, ice queen, robot king, secret level, water temple,
    final dungeon, bonus round, wizard tower, castle, golden chicken, mud monster, level, evil
    penguin, last race, pirate captain
boardgame: chess, checkers, charades, dominoes, hide and seek, cards, bingo, snap, twenty
    questions, table tennis, darts, pool, mini golf, air hockey, dodgeball, hopscotch, tag, rummy,
    backgammon, bowling, musical chairs, skittles, hangman, marbles, solitaire
sport: football, soccer, tennis, basketball, baseball, cricket, hockey, rugby, volleyball,
    badminton, golf, netball, softball, squash, water polo, lacrosse, ice hockey, frisbee,
    rounders, table tennis, croquet, handball, ping pong, beach volleyball, paintball, laser tag,
    kickball, curling
outdoor: swimming, running, hiking, climbing, surfing, sailing, skiing, snowboarding, cycling,
    kayaking, camping, fishing, horse riding, skateboarding, ice skating, roller skating, rowing,
    canoeing, jogging, birdwatching, paddling, sledging, snorkeling, bowling, stargazing,
    bouldering, berry picking, apple picking, geocaching, wild swimming, mountain biking, kite
    flying, rock pooling, scuba diving, windsurfing, bodyboarding, orienteering, trampolining, dog
    walking, whale watching, fossil hunting, rafting, caving, metal detecting
workout: yoga, pilates, spin class, dance class, kickboxing, aerobics, the treadmill, the rowing
    machine, circuit training, karate, judo, ballet, tap dancing, salsa class, aqua aerobics,
    weightlifting, boxing, gymnastics, swimming practice, track practice, fencing, parkour, tai
    chi, stretching, belly dancing, archery
teamnoun: Otters, Falcons, Comets, Badgers, Rockets, Pelicans, Thunder, Hornets, Beavers, Dragons,
    Wolves, Stingrays, Puffins, Bisons, Owls, Tornadoes, Mustangs, Herons, Lynxes, Penguins,
    Meteors, Squirrels, Hedgehogs, Narwhals
sportthing: goal, match, final, season, coach, goalkeeper, team, penalty, home run, overtime,
    crowd, referee, captain, free kick, half time, touchdown, buzzer beater, home game, kickoff,
    trophy, semi final, derby, relay, scoreboard, striker, halftime show, mascot, bench, winning
    streak, hat trick, comeback, tiebreak, backhand, three pointer
runlength: a mile, two miles, three miles, five miles, a 5k, a 10k, a half marathon, six miles,
    ten laps, a marathon, one lap, forty lengths

subject: maths, chemistry, physics, biology, history, geography, spanish, french, german, italian,
    latin, art, music, drama, psychology, economics, philosophy, statistics, algebra, calculus,
    geometry, astronomy, literature, english, computer science, sociology, graphic design,
    photography, engineering, law, accounting, japanese, pottery, anatomy, genetics, archaeology,
    linguistics, theatre, geology, media studies, ecology, sign language, swedish
test: exam, test, quiz, final, essay, project, presentation, assignment, paper, report, thesis,
    homework, dissertation, book report, science fair project, lab report, coursework, group
    project, spelling test, oral exam, midterm, driving test, entrance exam, portfolio, piano
    exam, term paper, poster, speech
schoolthing: locker, library, cafeteria, classroom, playground, dorm, lecture hall, lab, gym hall,
    bus, graduation, field trip, science fair, prom, school play, spelling bee, yearbook,
    semester, timetable, scholarship, campus, assembly, art room, homeroom, recess, detention,
    diploma, school band, debate club, sports day, noticeboard
grade: an a, a b plus, an a plus, full marks, a distinction, top marks, a gold star, a perfect
    score, ninety percent, ninety eight percent, a merit, a first, straight a's, the highest mark
    in the class, a smiley sticker, a pass
workthing: meeting, deadline, spreadsheet, inbox, report, shift, presentation, conference call,
    budget, interview, project, proposal, office party, lunch break, coffee break, pay rise,
    promotion, day off, desk, swivel chair, invoice, paperwork, team lunch, printer, photocopier,
    whiteboard, stapler, filing cabinet, uniform, name badge, commute, training day, overtime, to
    do list, performance review, brainstorm, payslip, internship, workshop, contract, client,
    night shift, early shift, staff room, water cooler, business trip, sales pitch, newsletter
codething: bug, test suite, website, app, compiler, script, database, server, pull request,
    plugin, parser, prototype, side project, blog, homepage, login page, unit test, regex, css,
    javascript, python script, algorithm, robot, search page, sorting function, recursion
    exercise, chatbot, text editor, command line tool, patch, refactoring, cache, memory leak,
    homebrew game, pixel art tool, linux box, raytracer, shell script, makefile, demo, widget,
    null pointer, race condition, infinite loop, deploy, release, backup script, neural net,
    weather app, dark theme
gadget: phone, laptop, camera, keyboard, music player, tablet, printer, monitor, e reader, game
    console, speaker, microphone, webcam, bike computer, telescope, microscope, sewing machine,
    coffee machine, bread maker, toaster, waffle iron, blender, ice cream maker, record player,
    synthesizer, drone, vacuum cleaner, alarm clock, dishwasher, washing machine, scanner, hard
    drive, tripod, radio, projector, kettle, hair dryer, popcorn machine

flower: tulips, roses, daffodils, sunflowers, daisies, lilies, peonies, poppies, bluebells,
    snowdrops, geraniums, orchids, violets, pansies, marigolds, hydrangeas, sweet peas, foxgloves,
    irises, lilacs, crocuses, dahlias, petunias, hollyhocks, wildflowers, magnolias, azaleas,
    primroses, buttercups, carnations, cherry blossoms
herb: basil, mint, parsley, rosemary, thyme, chives, lavender, sage, coriander, dill, oregano,
    lemongrass
gardenthing: greenhouse, compost heap, vegetable patch, lawn, flower bed, bird bath, garden shed,
    hedge, pond, trellis, wheelbarrow, herb garden, apple tree, lemon tree, window box, allotment,
    rockery, rose bush, fig tree, garden gnome, raised bed, watering can, hammock, bird feeder,
    bug hotel, bonsai, cactus, houseplant, avocado plant, plum tree
furniture: bookshelf, sofa, armchair, desk, bed, wardrobe, coffee table, lamp, rug, mirror,
    rocking chair, bunk bed, kitchen table, picture frame, curtain rail, beanbag, hammock, chest
    of drawers, piano stool, cabinet, bathtub, fireplace, chandelier, mattress, shoe rack, cuckoo
    clock, doormat, bedside table, deckchair, spice rack, blanket box
room: kitchen, bedroom, bathroom, living room, attic, basement, spare room, garage, hallway,
    study, garden, balcony, dining room, loft, den, laundry room, pantry, porch, closet, shed,
    playroom, conservatory, cellar, treehouse
chore: laundry, dishes, vacuuming, ironing, dusting, recycling, washing up, mopping, shopping
    list, packing, tidying, hoovering, filing, unpacking, spring cleaning, weeding, sweeping
craft: scarf, quilt, blanket, birdhouse, kite, lampshade, collage, scrapbook, bracelet, candle,
    mug, bowl, vase, paper crane, model train, puppet, treehouse, sculpture, watercolour, self
    portrait, cartoon, card, mobile, cushion, tote bag, pair of socks, bobble hat, dollhouse,
    mosaic, rag rug, teapot, stuffed octopus, tea cosy, wind chime, photo album, pinata,
    sandcastle, snow globe, cardboard castle, robot costume, toy boat, patchwork bag, friendship
    bracelet, mask, comic strip, papier mache dinosaur, jigsaw, clay dragon, bookmark, wreath,
    poster
craftverb: knit, crochet, sew, paint, carve, draw, build, design, decorate, fold, stitch, craft,
    sketch, glue together, assemble, weave
toy: teddy bear, train set, doll, yo yo, kite, spinning top, toy dinosaur, rubber duck, jigsaw,
    balloon, puppet, rocking horse, hula hoop, skipping rope, bubble machine, building bricks,
    space rocket, toy tractor, drum, pirate ship, paint set, magic set, bouncy ball, fire engine,
    tea set, cuddly rabbit, water pistol, scooter, tricycle, bouncy castle, sandpit, trampoline,
    sock puppet, cardboard box, wind up robot, kaleidoscope, whistle
gift: book, bunch of flowers, box of chocolates, mixtape, scarf, bike, watch, camera, puppy,
    necklace, teapot, plant, postcard, balloon, jigsaw, cookbook, record player, voucher,
    telescope, picnic basket, fountain pen, snow globe, surprise trip, guitar, pair of slippers,
    concert ticket, handmade card, photo album, music box, ring, board game, cuddly toy,
    sketchbook, letter, parcel, picnic blanket, cake tin, giant teddy, hot air balloon ride,
    pottery class, fruit basket, charm bracelet, magazine subscription, dressing gown, bouquet,
    locket, globe, microscope, ukulele
vehicle: bike, scooter, car, camper van, tandem, motorbike, skateboard, canoe, sailboat, pickup
    truck, tractor, minivan, convertible, unicycle, rowing boat, hatchback, old banger, van,
    sledge, rowboat, moped, racing bike, caravan, longboard, kayak, electric bike, cargo bike,
    houseboat
transport: train, bus, ferry, plane, tram, coach, boat, subway, night train, steam train, cable
    car, taxi, hovercraft, sleeper train, river boat, shuttle, open top bus, double decker

place: 4*the beach, 3*the park, the zoo, the lake, the mountains, the museum, the library, the
    aquarium, the seaside, the funfair, the cinema, the theatre, the science museum, the botanical
    gardens, the woods, the forest, the pier, the market, the castle, the planetarium, the skate
    park, the swimming pool, the ice rink, the farm, the harbour, the waterfall, the art gallery,
    the bowling alley, the country, the river, the campsite, the city, the hills, the lighthouse,
    the theme park, the water park, the village fair, the dog park, the playground, the
    observatory, the duck pond, the old town, the rose garden, the cottage, the island, the
    canyon, the petting zoo, the county fair, the arcade, the circus, the carnival, the railway
    museum, the butterfly house, the orchard, the strawberry farm, the pumpkin patch, the nature
    reserve, the bird sanctuary, the maze, the beach hut, the comedy club, the opera, the climbing
    wall, the community garden, the hot springs, the vineyard, the sand dunes, the boating lake,
    the trampoline park, the drive in, the fish market, the book festival, the air show, the model
    village
home: home, grandma's house, my parents' house, the office, school, college, the coffee shop, my
    sister's place, the studio, work, uni, the lab, the bakery, the bookshop, the hotel, the
    cabin, the flat, my new apartment, the farmhouse
townstart: Maple, Willow, Port, Clover, Amber, Pebble, Stone, Bramble, Silver, Fox, Heather,
    Otter, Sunny, Juniper, Acorn, Misty, Copper, Raven, Honey, Marble, Thistle, Plum
townend: wick, ford, bury, ton, haven, ridge, bay, dale, field, mouth, brook, port, gate, wood
trip: road trip, holiday, vacation, city break, camping trip, day trip, honeymoon, cruise, weekend
    away, school trip, ski trip, boat trip, girls' weekend, family holiday, fishing trip, cycling
    holiday, gap year, train trip, safari, retreat, beach holiday, walking holiday, mystery tour,
    treasure hunt, night hike
tripthing: suitcase, passport, boarding pass, window seat, hotel room, sea view, guidebook,
    souvenir, postcard, tan, rucksack, tent, sleeping bag, hostel, balcony, map, pool, hammock,
    airport, phrasebook, beach towel, sunhat, room service, campfire, sandcastle, palm tree,
    snorkel, buffet, jetlag, itinerary, visa, flight, travel pillow, lagoon, coral reef
event: party, picnic, barbecue, wedding, concert, sleepover, barn dance, bake sale, movie night,
    game night, reunion, festival, graduation, dinner party, talent show, quiz night, karaoke
    night, pool party, bonfire, beach party, engagement party, baby shower, housewarming, street
    party, fancy dress party, tea party, garden party, potluck, parade, school play, dance
    recital, open mic night, fashion show, poetry slam, art exhibition, treasure hunt, sports day,
    science fair, masked ball, pub quiz, chili cook off, duck race, hackathon, book launch,
    pancake race, craft fair, carol concert, charity auction, school disco, lan party, knitting
    night, fireworks display, wine tasting, pyjama party
celebration: christmas, easter, halloween, new year's eve, thanksgiving, pancake day, bonfire
    night, mother's day, father's day, valentine's day, midsummer, diwali, hanukkah, eid, lunar
    new year, st patrick's day, may day, earth day
weekday: monday, tuesday, wednesday, thursday, 3*friday, 3*saturday, 2*sunday
month: january, february, march, april, may, june, july, august, september, october, november,
    december
season: spring, summer, autumn, winter
daypart: morning, afternoon, evening
number: two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, fifteen, twenty
age: thirty, forty, fifty, sixty, seventy, eighty, ninety, 21, 27, 33, 42, 49, 56, 64, 77, 99
bignumber: thirty, forty, fifty, sixty, seventy, eighty, ninety, a hundred, a thousand, 500, 200,
    1000, a million, 42, 99, twenty five, thirty six
ordinal: second, third, fourth, fifth, sixth, seventh, tenth, hundredth
clock: six, seven, eight, nine, ten, eleven, noon, midnight, half past six, half past nine,
    quarter past seven, quarter to ten

sky: sunshine, blue sky, sunset, sunrise, rainbow, breeze, full moon, starry sky, thunderstorm,
    snow, summer rain, warm wind, morning mist, golden light, cloud, fresh air, frost, shooting
    star, moonlight, drizzle, aurora, heatwave
sunny: sunny, warm, bright, breezy, mild, hot, clear, crisp, beautiful, glorious, gorgeous, fresh,
    balmy, toasty, golden, springlike, dazzling, cloudless, tropical
birdsound: sing, chirp, whistle, tweet, hoot, quack, coo
skymass: sunshine, blue skies, summer rain, morning mist, golden light, fresh air, frost,
    moonlight, birdsong, starlight, snow, drizzle, warm wind
space: moon, comet, eclipse, meteor shower, space station, milky way, nebula, telescope, galaxy,
    planet, saturn, jupiter, constellation, satellite, rocket launch, black hole, supernova, mars
    rover
sciencething: volcano, magnet, fossil, dinosaur, microscope, crystal, experiment, lava lamp,
    bridge, paper plane, potato battery, solar panel, weather balloon, hologram, robot arm, prism,
    catapult, ant farm, sundial, circuit board
dance: salsa, tango, waltz, ballet, swing, tap, breakdance, ballroom, line dancing, jive, foxtrot,
    moonwalk, hokey cokey, conga, flamenco, macarena, charleston, samba, limbo, robot, chicken
    dance, polka, irish dancing, cha cha
language: spanish, french, italian, japanese, german, portuguese, swedish, korean, welsh, dutch,
    greek, sign language, arabic, mandarin, russian, finnish, turkish, gaelic, esperanto, morse
    code, swahili, polish
skill: juggling, origami, calligraphy, whistling, the splits, a handstand, a cartwheel, a card
    trick, knitting, beatboxing, the moonwalk, a backflip, the ukulele, parallel parking,
    yodeling, ventriloquism, chess, unicycling, hula hooping, touch typing, surfing, magic tricks,
    surf lifesaving, bread making, pottery, puppetry, skimming stones, roller skating, tie dyeing,
    tap dancing, mind reading, driving, speed reading, sword fighting, beekeeping, balloon animals
hair: haircut, fringe, perm, ponytail, highlights, mustache, curls, braids, bob, beard, bun,
    mohawk, pixie cut, plaits
haircolor: purple, pink, red, blonde, blue, ginger, silver, auburn, chestnut, green, black,
    platinum, orange
photo: photo, picture, selfie, snapshot, album, portrait, polaroid, time lapse, panorama, video,
    short film, close up, wedding photo, holiday snap, sunset shot, baby photo, passport photo,
    family portrait, photobooth strip
sound: purr, giggle, bark, snore, laugh, hum, meow, cluck, sneeze, chuckle, squeak, burp, hoot,
    hiccup, cackle
soundloc: kettle, fridge, floorboard, radiator, doorbell, shower, dishwasher, ceiling fan,
    lawnmower, garden gate
prize: raffle, bet, pub quiz, spelling bee, egg and spoon race, costume contest, radio contest,
    pie eating contest, three legged race, talent show, chess tournament, baking contest, arm
    wrestling match, poetry contest, photo contest, tombola, lottery, sack race, sandcastle
    contest, dance off, staring contest, scavenger hunt, go kart race, coin toss
luck: five bucks, ten quid, a four leaf clover, a lucky penny, a free coffee, an upgrade, the last
    cookie, front row seats, a parking spot, a seat on the train, a free sample, a hidden note, my
    favourite pen, the perfect jeans, a rare sticker, a free ticket, an old love letter, a signed
    copy, an extra chicken nugget, a window table, a whole row to myself, my lost sock, a golden
    ticket, the missing puzzle piece, a secret shortcut, treasure, a really good stick
superhero: superhero, ninja, pirate, wizard, astronaut, champion, rockstar, princess, king, queen,
    genius, cowboy, detective, dinosaur, mermaid, queen bee, ballerina, viking, knight, unicorn,
    secret agent, movie star, captain, mad scientist, olympic champion, hero, cartoon character,
    legend, explorer, sheriff, magician, dragon tamer
oddplace: fridge, washing machine, bathtub, cereal box, laundry basket, flower pot, sock drawer,
    teapot, suitcase, sink, shoebox, handbag, piano, cardboard box, mailbox, wheelbarrow, toolbox,
    biscuit tin, salad bowl, bookcase, hat, sleeve, coat pocket
adverb: quietly, slowly, happily, suddenly, secretly, proudly, gracefully, loudly, bravely,
    gently, cheerfully, lazily, calmly, politely, merrily, accidentally, joyfully, eagerly,
    carefully, enthusiastically, dramatically, successfully, patiently, gleefully, triumphantly,
    sleepily, kindly, madly, playfully, unexpectedly, magically, shamelessly
very: 5*so, 4*really, 2*super, 2*pretty, absolutely, totally, seriously, just, completely,
    incredibly, ridiculously, mega, unbelievably, extremely, wonderfully, insanely, truly, crazy
laugh: haha, lol, hehe, hahaha, tee hee, ha
yay: 4*yay, 2*woohoo, woo, yippee, hooray, wahoo, woop, yesss, hurrah, booyah, whee, huzzah,
    yeehaw, score, result, bingo, boom, jackpot, hallelujah, victory, cowabunga, eureka, yahoo,
    success, ta da, whoop whoop, sweet, bravo, awesome sauce
aww: aww, aw, ahh, ooh, oh, wow, omg, gosh, oh my goodness, golly, oh wow, blimey, holy moly,
    goodness, oh my, gee, oh boy, holy guacamole, great scott, jeepers, my oh my, crikey, whoa,
    hot diggity
endear: dear, hun, sweetie, love, mate, buddy, pal, dude, lovely, sunshine, friend, chick, girl,
    bro, my friend, superstar, rockstar, sis, legend, darling, chum, honey, champ, sugar, petal,
    captain, boss, old bean, cupcake, my hero, genius
stuff: glitter, bubbles, confetti, sprinkles, stickers, fairy lights, candles, balloons,
    streamers, sequins, blankets, pillows, crayons, ribbons, paper planes, post it notes, board
    games, puzzles, sparklers, rainbow socks, tiny umbrellas, googly eyes, bubble wrap, party
    hats, bunting, water balloons, snowballs, jellyfish, old photos, love letters, secret
    handshakes
"""
