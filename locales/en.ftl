# The bot's messages. A test checks that every language has the same messages with the same variables.
#
# Lengths that platforms allow: a button 80 characters, a command's description 100, an alert 200.

## Guesses

# One face. $who is one of the values below; $age, $low and $high are whole years, and $age is at least 2 except for a baby.
person =
    { $who ->
        [baby] a baby (likely { $low } to { $high } years old)
        [toddler] a toddler of about { $age } (likely { $low } to { $high })
        [child] a child of about { $age } (likely { $low } to { $high })
        [young-person] a young person of about { $age } (likely { $low } to { $high })
        [girl] a girl of about { $age } (likely { $low } to { $high })
        [boy] a boy of about { $age } (likely { $low } to { $high })
        [woman] a woman of about { $age } (likely { $low } to { $high })
        [man] a man of about { $age } (likely { $low } to { $high })
        [unclear] someone around { $age } (likely { $low } to { $high }), though I can't tell whether it's a man or a woman
       *[person] a person of about { $age } (likely { $low } to { $high })
    }
# The same where the age cannot be told.
person-of-any-age =
    { $who ->
        [woman] a woman of any age from { $low } to { $high }
        [man] a man of any age from { $low } to { $high }
       *[other] somebody of any age from { $low } to { $high }
    }
# The same, for somebody who smiles.
person-smiling =
    { $who ->
        [unclear] { $person }; they are smiling
       *[other] { $person }, smiling
    }
guess-sure = Looks like { $person }.
guess-unsure =
    { $what ->
        [unknown-age] I can't tell the age: it could be { $person }.
        [gender] I'm not sure about the gender, but my guess is { $person }.
        [both] I'm not sure about age and gender, but my guess is { $person }.
       *[age] I'm not sure about the age, but my guess is { $person }.
    }
guess-tip = Tip: { $tips }
faces =
    I see { $count } faces, numbered { $order ->
        [down] from top to bottom
       *[across] from left to right
    }{ $ages ->
        [unsure] ; I'm not sure about any of the ages:
       *[some-sure] :
    }
face-sure = { $number }. { $person }
face-unsure =
    { $what ->
        [gender] { $number }. { $person } (gender unsure)
        [both] { $number }. { $person } (age and gender unsure)
       *[age] { $number }. { $person } (age unsure)
    }
faces-more = … and { $count } more.
photo-number = Photo { $number }: { $text }
photo-waiting = still looking …
no-face = I can't find a face in this picture. Tip: send a photo with one face turned towards the camera, well lit and at least as large as a thumbnail; cropping closer often helps.
rotated-left = The photo is sideways; I turned it left to look at it.
rotated-right = The photo is sideways; I turned it right to look at it.
rotated-upside-down = The photo is upside down; I turned it round to look at it.
picture-cut-short = The picture was cut short; I could only look at the part that is there.
guess-anyway = I found no face, so this is just a guess from the square in the middle: { $person }. Take it with a grain of salt.
guess-crop = With the suggested crop: { $text }
crop-offered = A closer crop makes me surer: press the button below.
alternative-text = The photo with a box around each face; { $faces }.
alternative-text-face = box { $number }: { $person }
alternative-text-crop = The suggested square, cut from the photo; { $text }
alternative-text-inside = Two parts. The face in colour and as 128×128 grey pixels, with the first row of numbers. A filter's nine pixels, weights and products: { $sum } The eight filters that respond most with their maps, and what a deeper channel likes best.
alternative-text-outcome = Three parts. Maps over the face: the votes for { $age } years, and how the guess changes where the face is covered. { $regions } A chart of how likely each age is, highest at { $peak }; half of it lies below { $age }. The face in five framings, guessed { $guesses } years.

## What would help

tip-too-small = The face has very few pixels: come closer, or send the photo in its original size.
tip-cut-off = Part of the face is outside the picture: leave some room around it.
tip-covered = Part of the face is covered: nothing should be in front of it, neither hands and hair nor a mask or dark glasses.
tip-turned = The face is turned away: look straight into the camera.
tip-dark = There is too little light on the face: turn towards a window or a lamp.
tip-one-sided = The light comes from one side and leaves half of the face in the dark: turn towards it.
tip-bright = The face is washed out: avoid harsh light and flash.
tip-blurred = The face is blurred: hold the camera still, or send the original instead of a copy.
tip-noisy = The picture is grainy: take it in more light, or send the original instead of a copy.
good-photo =
    { $what ->
        [gender] The photo is good: this face simply doesn't show the gender clearly, and another photo would hardly help.
       *[age] The photo is good: this face could simply be several ages, and another photo would hardly help.
    }
# One line under several faces: what would help whom, by the numbers of the faces.
faces-help = What would help: { $help }.
faces-good-photo =
    { $what ->
        [gender] The photo is good: whoever I'm unsure about could simply be either gender.
        [both] The photo is good: whoever I'm unsure about could simply be several ages, or either gender.
       *[age] The photo is good: whoever I'm unsure about could simply be several ages.
    }
help-for-faces = { $help } ({ $numbers })
help-too-small = coming closer, or the photo in its original size
help-cut-off = some room around the face
help-covered = nothing in front of the face
help-turned = a look straight into the camera
help-dark = more light on the face
help-one-sided = light from the front
help-bright = softer light
help-blurred = a sharper picture
help-noisy = a picture with less grain

## How I see a face

seen = This is all I look at: 128×128 grey pixels. The cards show what I make of them. My guess is { $age }; for four out of five faces, the age is between { $low } and { $high }.
seen-gender = I'd say { $female } in 100 faces like this one are female.
explain-title = How I see this face
explain-numbers = From photo to numbers
explain-photo = The photo: { $width } × { $height } pixels × 3 colours = { $colours } numbers; in grey { $greys }.
explain-crop = All that I get: 128 × 128 grey pixels = { $numbers } numbers.
explain-first-row = Its first row as numbers: 0 is black, 255 is white.
explain-filter = A filter at work
explain-inputs = nine pixels
explain-weights = times the filter
explain-products = nine products
explain-sum = The products add up to { $sum }. Plus { $bias }, and nothing below zero, makes { $output } in the filter's map.
explain-strongest = The eight filters that respond most to this face, each with its map:
explain-deep = What channel { $channel } of { $channels }, deeper inside, likes best (faces that I learnt from may not be shown):
explain-deep-here = in this face
explain-deep-mean = in the mean of many faces
explain-deep-fired = where it responds here
explain-voted = Who voted, and where
explain-age-votes = votes for { $age } years; with { $bias } for every face they add up to { $logit }
explain-gender-votes = votes for female or against; with { $bias } for every face they add up to { $logit }
explain-covered = covered here, I would guess up to { $older } years older or { $younger } years younger
explain-regions = With a part of the face covered, my guess changes by (years): { $regions }.
# $years has a sign, as in “eyes −4.1”.
explain-region =
    { $region ->
        [forehead] forehead { $years }
        [eyes] eyes { $years }
        [nose] nose { $years }
        [mouth] mouth { $years }
       *[chin] chin { $years }
    }
explain-negative = against · younger
explain-positive = for · older
explain-shaky =
    { $map ->
        [votes] The map of votes is shaky here: it changes when the face moves by one pixel.
        [covered] The map of covered places is shaky here: it changes when the face moves by one pixel.
       *[both] Both maps are shaky here: they change when the face moves by one pixel.
    }
explain-vote = The vote
explain-axis-age = age in years
explain-axis-probability = probability in %
explain-median = { $age } years: half of the probability lies to the left
explain-range = { $low } to { $high } years: where the true age is for four out of five faces
explain-change = A small change
explain-framing =
    { $sure ->
        [yes] { $age } ({ $low }–{ $high }), sure
       *[no] { $age } ({ $low }–{ $high }), unsure
    }
# Fits below a small picture. $amount is a number.
explain-kind =
    { $kind ->
        [same] as it is
        [closer] { $amount } % closer
        [wider] { $amount } % wider
        [shifted] moved by { $amount } %
        [tilted] tilted by { $amount }°
        [darker] { $amount } % less light
        [brighter] { $amount } % more light
       *[blurred] blurred over { $amount } pixels
    }
explain-tips =
    { $sure ->
        [yes] The smallest change that would make me unsure: { $change }.
       *[no] The smallest change that would make me sure: { $change }.
    }
explain-tips-not =
    { $sure ->
        [yes] None of the { $tried } small changes that I tried makes me unsure.
       *[no] None of the { $tried } small changes that I tried makes me sure.
    }
explain-note = This is where the picture mattered to the network, not why anybody looks their age.
# Separators in numbers and lists.
thousands-separator = ,
decimal-mark = .
list-separator = { ", " }

## Problems

problem-no-photo = I see no picture there. Attach a photo, or use the command in reply to one.
problem-no-profile-picture = That person has no profile picture. Please pick a message with a photo instead.
problem-platform-limit = That file is too large: bots can only fetch files of up to { $limit } here. Send it as a photo instead of a file, or send a smaller version.
problem-too-large = That file is too large: I take photos of up to { $limit }. Please send a smaller version.
problem-too-many-pixels = That picture is too large: it has { $width }×{ $height } pixels, and I take up to { $limit } megapixels. Please send a smaller version.
problem-too-much-work = That file takes far longer to read than a photo should. Please save it again as a JPEG, or send a screenshot of it.
problem-gone = That file is no longer there. Please send the photo again.
problem-foreign-host = I only fetch photos that were uploaded here. Please attach the photo.
problem-download = I couldn't fetch that photo. Please send it again in a moment.
problem-empty = That file is empty. Please send the photo again.
problem-not-a-picture = That's not a picture but { $what }. Please send a photo: JPEG, PNG, WebP or GIF.
problem-unsupported = I can't read { $format } pictures yet. Please send it as JPEG, PNG, WebP or GIF; a screenshot works.
problem-truncated = That picture is cut short: the upload stopped before the end. Please send it again.
problem-damaged = That { $format } picture is damaged and can't be read. Please save it again or send another one.
problem-unreadable = I can't open that file: { $reason }.
problem-overloaded = I'm busy with other photos right now. Please try again shortly.
problem-expired = That took too long, so I gave up on it. Please try again, perhaps with a smaller picture.
problem-stopped = I'm being restarted right now. Please send it again in a minute.
problem-failed = Something went wrong on my side with this picture. Please try another one.
problem-interrupted = I was interrupted before I could answer this photo, and now it's too late. Please send it again.
problem-cannot-write = I saw your photo, but I'm not allowed to write in that chat. Ask an admin there to let me send messages, or send me the photo here.
problem-opted-out = Whoever posted that photo has asked me not to look at their photos.
problem-no-such-face =
    { $count ->
        [one] That photo has only one face.
       *[other] That photo has { $count } faces: choose a number from 1 to { $count }.
    }
problem-too-often =
    { $seconds ->
        [one] That's a lot of photos. Please come back in a second.
       *[other] That's a lot of photos. Please come back in { $seconds } seconds.
    }

## Help and privacy

help =
    Hi! Send me a photo of a face, and I'll guess how old the person looks and whether it's a man or a woman, and tell you how sure I am.

    { $how }

    For a good guess: one face, turned towards the camera, well lit, with a little room around it.

    I'm a small neural network that looks at 128×128 grey pixels and was trained on tens of thousands of faces: I guess what someone looks like and know nothing about the actual person. /privacy tells you what happens to your photo.
how-discord = Send me a photo in a direct message, mention me with a photo (or in reply to one), use /guess, or pick "Guess age" under Apps in the menu of a message or a person. "Add App" in my profile lets you use the last two everywhere, and only you see the answer. Admins: /auto answers every photo in a channel, /settings shows the rest.
how-telegram = Here, just send me a photo. In a group, send it with the caption /guess, or reply /guess to one. Admins: /auto on answers every photo of a group, /settings shows the rest.
how-matrix = Here, just send me a photo. In a room with others, reply !age to one, or send it with the caption !age; a mention of me does the same. !age explain shows how I see a face. Room moderators: !age auto on answers every photo, !age settings shows the rest.
how-guest = Where I'm not a member, mention me in a photo's caption, or in reply to a photo.
privacy-mode = Telegram hides photos in groups from me unless they come with a command. For /auto, make me an admin of this group, or switch my privacy mode off with @BotFather (/setprivacy) and add me again.
business-declined = You've connected me to your business account. I'm not made for that: I neither read nor answer what your customers write there, and you can disconnect me in Telegram's settings under Business. Photos of your own are welcome here.
matrix-encrypted = This room is encrypted, and I can't read encrypted messages. Please create a room with encryption switched off, invite me there, and send me your photo.
privacy =
    Your photo is analysed in the memory of the computer I run on and then forgotten: it is not stored, not used for training and not sent to anyone. Where I'm not a member, I see only what you show me: the message that mentions me and the one it replies to, or what you use my command on.

    What I keep: a chat's settings (language, automatic replies, gender, smiles), your own (language, gender, /optout), and the scores of the game with the names of those who play. Until I have answered, I remember where to find your photo, so that a restart doesn't lose it. /forget deletes what I keep about you; when an admin uses /forget in a group, it also deletes what I keep about the group. The log on my computer contains no pictures, names, messages or IDs, only IDs scrambled with a secret that changes at every start. The platform you write on has its own rules.
forgotten-person = Done: I keep nothing about you any more.
forgotten-chat = Done: I keep nothing about you or this chat any more.
opted-out = Done: from now on I ignore your photos here, no matter who asks. /optin undoes this.
opted-in = Done: I'll look at your photos again when asked.

## Settings

settings = Settings of this chat. Press to change:
settings-typed = Settings of this room. Type a line's command to change it:
settings-auto =
    { $on ->
        [yes] Automatic replies: on
       *[no] Automatic replies: off
    }
settings-private =
    { $on ->
        [yes] Replies: only to whoever asked
       *[no] Replies: visible to everyone
    }
settings-gender =
    { $gender ->
        [never] Gender: never mentioned
        [sure] Gender: only when I'm sure
       *[always] Gender: mentioned
    }
settings-smile =
    { $smile ->
        [never] Smiles: never mentioned
       *[sure] Smiles: mentioned when I'm sure
    }
settings-language = Language: { $language }
settings-language-client = Language: each person's own
auto-on = From now on I answer every photo in this chat. /auto off stops this.
auto-off = I no longer answer photos here unless somebody asks me to.
auto-direct = When it's just the two of us, I answer every photo anyway.
auto-state =
    { $on ->
        [yes] Automatic replies are on in this chat. /auto off stops them.
       *[no] Automatic replies are off in this chat. /auto on starts them.
    }
auto-unseen = Discord hides photos here from me unless I'm mentioned. For /auto, whoever runs me has to allow me the message content intent (discord.message_content in my configuration).
private-start = In this group I only answer the person who asked, in a private chat. Please open one with me and press Start, then ask again.
admin-cannot-write = Somebody asked me about a photo in “{ $chat }”, but I'm not allowed to write there. Please let me send messages there, or switch off automatic replies. I'll mention this once a day at most.
admins-only = Only an admin of this chat can change that.
language-set = I speak { $language } now.
language-unknown = I don't speak that language yet. I speak: { $languages }.
gender-set =
    { $gender ->
        [never] I no longer guess your gender.
        [sure] I guess your gender only when I'm sure of it.
       *[always] I guess your gender again.
    }

## Buttons

button-see = How do you see me?
button-crop = Try the suggested crop
button-anyway = Guess anyway
button-delete = Delete
not-yours = Only the person who asked can do that.
reply-deleted = (deleted)
gone = That photo is gone, so I can't look again.

## The game

game = How old is this person? Press your guess; only the first one counts. Whoever started the game reveals mine.
game-players =
    { $count ->
        [0] Nobody has guessed yet.
        [one] One guess so far.
       *[other] { $count } guesses so far.
    }
game-reveal = Reveal
game-taken = Your guess: { $age }.
game-already-guessed = You have guessed already: { $age }.
game-host = You know the answer: let the others guess.
game-over = This game is over.
game-unsure = I need a photo with one clear face for the game.
game-mine = My guess: { $person }.
game-truth = The true age: { $age }.
game-winner =
    { $count ->
        [one] Closest: { $names }, with a guess of { $age }. One point!
       *[other] Closest: { $names }, with a guess of { $age }. A point each!
    }
game-nobody = Nobody guessed this time.
game-beaten = And closer than me!
scores = Scores in this chat:
score = { $place }. { $name }: { $points }
scores-none = Nobody has a score here yet. /game on a photo starts a game.

## Commands, as the platforms' menus show them

command-guess = Guess how old the people in a photo look
command-guess-photo = A photo with a face, or several
command-game = Guess the age yourselves first, then see my guess
command-game-age = The true age, revealed at the end
command-scores = Who guesses best in this chat
command-auto = Answer every photo in this chat, or stop doing so (admins)
command-settings = Show and change how I behave in this chat
command-language = Choose the language I speak with you
command-gender = Whether I guess your gender: always, sure or never
command-optout = Ignore my photos
command-optin = Look at my photos again
command-forget = Delete what is stored about me
command-privacy = What happens to your photo
command-help = What I can do, and how to take a good photo

# Names of the commands in Discord's menus: lower case, no spaces, at most 32 characters, all different.
name-guess = guess
name-game = game
name-scores = scores
name-auto = auto
name-settings = settings
name-language = language
name-gender = gender
name-optout = optout
name-optin = optin
name-forget = forget
name-privacy = privacy
name-help = help
# In the menu of a message; at most 32 characters, spaces and capitals allowed.
name-guess-age = Guess age
