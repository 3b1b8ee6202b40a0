# The chat page and the page about the program. Texts of the explanation are in the folder learn.

## Every page

site-skip = Skip to the content
site-pages = Pages
site-chat = Chat
site-how = How it works
site-about = About
site-language = Language:
site-private-here = Photos stay on this machine and are not stored.
site-private-server = Your photo is sent to this server, analysed in its memory and not kept.

## The chat

chat-title = Chat
chat-description = Guesses how old the people in a photo look, and says how sure it is.
chat-hello = Hello! Send me a photo of a face, or several. I'll guess how old the person looks and whether it's a man or a woman, and tell you how sure I am.
chat-noscript = This page needs JavaScript to send your photo.
chat-conversation = Conversation
chat-send = Send photos
chat-choose = Choose photos
chat-camera = Camera
chat-clear = Clear
chat-hint = or drop or paste them anywhere on this page
chat-drop = Drop your photos here
chat-camera-title = Look into the camera
chat-camera-preview = Camera preview
chat-camera-hint = Face the light, and keep your eyes and mouth uncovered.
chat-cancel = Cancel
chat-take-photo = Take photo

# Words of the chat's script: one line each, no variants.
chat-script-you = You
chat-script-your-photo = Your photo { $name }
chat-script-analysing = Analysing…
chat-script-photo = Photo { $number }
chat-script-picture = Your photo with a box around each face
chat-script-numbers = Numbers
chat-script-age = Age: { $age }, likely { $low } to { $high }
chat-script-age-untold = Age: anything from { $low } to { $high }
chat-script-female = Female: { $percent } % likely
chat-script-male = Male: { $percent } % likely
chat-script-sure = I'm sure
chat-script-unsure = I'm not sure
chat-script-share = Share the picture
chat-script-retry = Try again
chat-script-offline = I can't reach the server. Is the program still running? Please try again.
chat-script-failed = Something went wrong. Please try again.
chat-script-no-files = I can only accept image files. Please save the picture first, then drop the file here.
chat-script-camera-wait = Waiting for the camera…
chat-script-camera-blocked = Your browser blocks the camera on this page. Allow it in the address bar, or choose a photo.
chat-script-camera-missing = No camera was found. You can choose a photo instead.

## Uploads that are refused

upload-not-a-form = Please send the photo itself with its type, such as image/jpeg, or a form with one file field named "photo".
upload-not-a-number = The field "face" takes the number of a face, counted from 1.
upload-unknown-action = The parameter "action" takes the action of a button of an earlier answer to this photo.
upload-several-photos = Please send one photo at a time.
upload-too-many-photos = Please send at most ten photos at a time.
upload-interrupted = The upload was interrupted. Please send the photo again.
upload-timed-out = The upload took too long. Please try again.
key-needed = This page and its API need a key: it is the password that your browser asks for, and programs send it as "Authorization: Bearer …" or "X-Api-Key: …".

## About

about-title = About
about-description = What happens to photos, how accurate the guesses are, and what they are not for.
about-lead = FaceGuesser guesses how old a face looks, and whether it looks like a woman's or a man's. A small neural network looks at 128×128 grey pixels of each face and knows nothing else about the person.
about-privacy = Privacy
about-privacy-photo = A photo is in memory only while it is being answered. It is not written to a disk, not used for training and not sent to anyone else. The log counts photos and bytes; it contains no pictures, names or addresses.
about-privacy-browser = This page loads nothing from other sites and sets no cookies. If you choose a language, your browser remembers it.
about-accuracy = Accuracy
about-accuracy-summary = On { $faces } faces that were not used for training, the guessed age is off by { $age } years on average and the gender is right for { $gender } %. The age range in brackets contains the true age for { $coverage } % of them.
about-by-age = Accuracy by true age
about-by-group = Accuracy by the labels of the data set
about-age = Age
about-group = Group
about-faces = Faces
about-age-error = Mean age error, years
about-gender-right = Gender right
about-ages = Children's ages are easiest to guess. From forty on, guesses are off by about seven years; the oldest are mostly guessed too young. Below the age of four the gender is little better than a coin toss, so I leave it out.
about-groups = The groups are named as in the data set UTKFace, whose labels were estimated by people and machines. Errors differ between groups because the faces differ in age, and because some groups are rare in the training data.
about-group-female = Labelled female
about-group-male = Labelled male
about-group-white = White
about-group-black = Black
about-group-asian = Asian
about-group-indian = Indian
about-group-others = Others
about-limits = Limits
about-limits-looks = It guesses looks, not facts. For one face in five, the true age is outside the range in brackets.
about-limits-labels = The training data only knows “female” and “male”.
about-limits-children = Babies and small children get no gender, and teenagers are sometimes taken for adults.
about-limits-photo = A small, dark, blurred or turned face tells little. A closer photo in even light helps most.
about-limits-decisions = Do not use it to make decisions about people: no age checks, no identification, no moderation.
about-terms = Terms
about-terms-code = The code is free software, licensed under MIT or Apache 2.0, at your option.
about-terms-weights = The networks keep the terms of their training data: UTKFace is offered for non-commercial research, FairFace is licensed under CC BY 4.0; All-Age-Faces, Images of Groups, GENKI-4K and labelled photographs of groups were used as well. Use them accordingly.
