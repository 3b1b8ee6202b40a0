# The chat page and the page about the program. Texts of the explanation are in the folder learn.

## Every page

site-skip = Aller au contenu
site-pages = Pages
site-chat = Discussion
site-how = Comment ça marche
site-about = À propos
site-language = Langue :
site-private-here = Les photos restent sur cette machine et ne sont pas conservées.
site-private-server = Ta photo est envoyée à ce serveur, analysée dans sa mémoire, puis oubliée.

## The chat

chat-title = Discussion
chat-description = Devine quel âge font les personnes d’une photo et dit à quel point c’est sûr.
chat-hello = Bonjour ! Envoie-moi la photo d’un visage, ou plusieurs. Je devine quel âge fait la personne et si c’est un homme ou une femme, et je te dis à quel point j’en suis sûr.
chat-noscript = Cette page a besoin de JavaScript pour envoyer ta photo.
chat-conversation = Conversation
chat-send = Envoyer des photos
chat-choose = Choisir des photos
chat-camera = Appareil photo
chat-clear = Effacer
chat-hint = ou dépose-les ou colle-les n’importe où sur cette page
chat-drop = Dépose tes photos ici
chat-camera-title = Regarde l’appareil
chat-camera-preview = Aperçu de l’appareil photo
chat-camera-hint = Mets-toi face à la lumière, les yeux et la bouche découverts.
chat-cancel = Annuler
chat-take-photo = Prendre la photo

# Words of the chat's script: one line each, no variants.
chat-script-you = Toi
chat-script-your-photo = Ta photo { $name }
chat-script-analysing = J’analyse…
chat-script-photo = Photo { $number }
chat-script-picture = Ta photo avec un cadre autour de chaque visage
chat-script-numbers = Les chiffres
chat-script-age = Âge : { $age }, probablement { $low } à { $high }
chat-script-age-untold = Âge : n’importe lequel entre { $low } et { $high }
chat-script-female = Femme : probable à { $percent } %
chat-script-male = Homme : probable à { $percent } %
chat-script-sure = J’en suis sûr
chat-script-unsure = Je n’en suis pas sûr
chat-script-share = Partager l’image
chat-script-retry = Réessayer
chat-script-offline = Je n’arrive pas à joindre le serveur. Le programme tourne-t-il encore ? Réessaie, s’il te plaît.
chat-script-failed = Quelque chose s’est mal passé. Réessaie, s’il te plaît.
chat-script-no-files = Je n’accepte que des fichiers image. Enregistre d’abord l’image, puis dépose le fichier ici.
chat-script-camera-wait = J’attends l’appareil photo…
chat-script-camera-blocked = Ton navigateur bloque l’appareil photo sur cette page. Autorise-le dans la barre d’adresse ou choisis une photo.
chat-script-camera-missing = Aucun appareil photo trouvé. Tu peux choisir une photo à la place.

## Uploads that are refused

upload-not-a-form = Envoie la photo elle-même avec son type, par exemple image/jpeg, ou un formulaire avec un seul champ de fichier nommé « photo ».
upload-not-a-number = Le champ « face » attend le numéro d’un visage, à partir de 1.
upload-unknown-action = Le paramètre « action » attend l’action d’un bouton d’une réponse précédente à cette photo.
upload-several-photos = Envoie une photo à la fois.
upload-too-many-photos = Envoie dix photos au plus à la fois.
upload-interrupted = L’envoi a été interrompu. Renvoie la photo, s’il te plaît.
upload-timed-out = L’envoi a pris trop de temps. Réessaie, s’il te plaît.
key-needed = Cette page et son API demandent une clé : c’est le mot de passe que le navigateur réclame, et les programmes l’envoient sous la forme « Authorization: Bearer … » ou « X-Api-Key: … ».

## About

about-title = À propos
about-description = Ce que deviennent les photos, la précision des estimations et ce à quoi elles ne servent pas.
about-lead = FaceGuesser devine quel âge fait un visage, et s’il ressemble à celui d’une femme ou d’un homme. Un petit réseau de neurones regarde 128×128 pixels gris de chaque visage et ne sait rien d’autre de la personne.
about-privacy = Vie privée
about-privacy-photo = Une photo n’est en mémoire que le temps d’y répondre. Elle n’est pas écrite sur un disque, ne sert pas à l’entraînement et n’est envoyée à personne d’autre. Le journal compte les photos et les octets ; il ne contient ni images, ni noms, ni adresses.
about-privacy-browser = Cette page ne charge rien d’autres sites et n’utilise pas de cookies. Si tu choisis une langue, ton navigateur s’en souvient.
about-accuracy = Précision
about-accuracy-summary = Sur { $faces } visages qui n’ont pas servi à l’entraînement, l’âge deviné s’écarte en moyenne de { $age } ans et le genre est juste dans { $gender } % des cas. La fourchette entre parenthèses contient l’âge réel pour { $coverage } % d’entre eux.
about-by-age = Précision selon l’âge réel
about-by-group = Précision selon les étiquettes du jeu de données
about-age = Âge
about-group = Groupe
about-faces = Visages
about-age-error = Erreur d’âge moyenne, ans
about-gender-right = Genre juste
about-ages = L’âge des enfants est le plus facile à deviner. À partir de quarante ans, l’écart est d’environ sept ans ; les plus âgés paraissent le plus souvent trop jeunes. Avant quatre ans, le genre se devine à peine mieux qu’à pile ou face ; je ne le dis donc pas.
about-groups = Les groupes portent les noms du jeu de données UTKFace, dont les étiquettes ont été estimées par des personnes et des machines. Les erreurs diffèrent parce que les visages n’ont pas le même âge, et parce que certains groupes sont rares dans les données d’entraînement.
about-group-female = Étiquetés « femme »
about-group-male = Étiquetés « homme »
about-group-white = Blancs
about-group-black = Noirs
about-group-asian = Asiatiques
about-group-indian = Indiens
about-group-others = Autres
about-limits = Limites
about-limits-looks = Il devine l’apparence, pas la réalité. Pour un visage sur cinq, l’âge réel est hors de la fourchette entre parenthèses.
about-limits-labels = Les données d’entraînement ne connaissent que « femme » et « homme ».
about-limits-children = Aucun genre n’est donné aux bébés et aux petits enfants, et des adolescents sont parfois pris pour des adultes.
about-limits-photo = Un visage petit, sombre, flou ou tourné en dit peu. Une photo plus proche, à la lumière régulière, aide le plus.
about-limits-decisions = Ne t’en sers pas pour décider quoi que ce soit au sujet de personnes : ni contrôle d’âge, ni identification, ni modération.
about-terms = Conditions
about-terms-code = Le code est un logiciel libre, sous licence MIT ou Apache 2.0, au choix.
about-terms-weights = Les réseaux gardent les conditions de leurs données d’entraînement : UTKFace est proposé pour la recherche non commerciale, FairFace est sous licence CC BY 4.0 ; All-Age-Faces, Images of Groups, GENKI-4K et des photos de groupes annotées ont aussi servi. Utilise-les en conséquence.
