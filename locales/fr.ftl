# The bot's messages. A test checks that every language has the same messages with the same variables.
#
# Lengths that platforms allow: a button 80 characters, a command's description 100, an alert 200.

## Guesses

# One face. $who is one of the values below; $age, $low and $high are whole years, and $age is at least 2 except for a baby.
person =
    { $who ->
        [baby] un bébé (probablement de { $low } à { $high } ans)
        [toddler] un tout-petit d’environ { $age } ans (probablement entre { $low } et { $high })
        [child] un enfant d’environ { $age } ans (probablement entre { $low } et { $high })
        [young-person] une jeune personne d’environ { $age } ans (probablement entre { $low } et { $high })
        [girl] une fille d’environ { $age } ans (probablement entre { $low } et { $high })
        [boy] un garçon d’environ { $age } ans (probablement entre { $low } et { $high })
        [woman] une femme d’environ { $age } ans (probablement entre { $low } et { $high })
        [man] un homme d’environ { $age } ans (probablement entre { $low } et { $high })
        [unclear] quelqu’un d’environ { $age } ans (probablement entre { $low } et { $high }), homme ou femme, je ne saurais dire
       *[person] une personne d’environ { $age } ans (probablement entre { $low } et { $high })
    }
person-of-any-age =
    { $who ->
        [woman] une femme de n’importe quel âge entre { $low } et { $high } ans
        [man] un homme de n’importe quel âge entre { $low } et { $high } ans
       *[other] quelqu’un de n’importe quel âge entre { $low } et { $high } ans
    }
person-smiling =
    { $who ->
        [unclear] { $person } ; la personne sourit
       *[other] { $person }, avec le sourire
    }
guess-sure = On dirait { $person }.
guess-unsure =
    { $what ->
        [unknown-age] Je ne saurais dire l’âge : ce pourrait être { $person }.
        [gender] Je ne suis pas sûr du sexe, mais je dirais { $person }.
        [both] Je ne suis sûr ni de l’âge ni du sexe, mais je dirais { $person }.
       *[age] Je ne suis pas sûr de l’âge, mais je dirais { $person }.
    }
guess-tip = Conseil : { $tips }
faces =
    Je vois { $count } visages, numérotés { $order ->
        [down] de haut en bas
       *[across] de gauche à droite
    }{ $ages ->
        [unsure] { "\u00A0" }; aucun âge n’est certain :
       *[some-sure] { "\u00A0" }:
    }
face-sure = { $number }. { $person }
face-unsure =
    { $what ->
        [gender] { $number }. { $person } (sexe incertain)
        [both] { $number }. { $person } (âge et sexe incertains)
       *[age] { $number }. { $person } (âge incertain)
    }
faces-more = … et { $count } de plus.
photo-number = Photo { $number } : { $text }
photo-waiting = je regarde encore…
no-face = Je ne trouve pas de visage sur cette image. Conseil : envoie une photo où un visage est tourné vers l’appareil, bien éclairé et au moins aussi grand qu’une vignette ; recadrer plus serré aide souvent.
rotated-left = La photo est sur le côté ; je l’ai tournée vers la gauche pour la regarder.
rotated-right = La photo est sur le côté ; je l’ai tournée vers la droite pour la regarder.
rotated-upside-down = La photo est à l’envers ; je l’ai remise à l’endroit pour la regarder.
picture-cut-short = L’image est incomplète ; je n’ai pu regarder que la partie présente.
guess-anyway = Je n’ai pas trouvé de visage, alors je devine seulement d’après le carré du milieu : { $person }. À prendre avec des pincettes.
guess-crop = Avec le recadrage proposé : { $text }
crop-offered = Avec un recadrage plus serré, je suis plus sûr de moi : appuie sur le bouton ci-dessous.
alternative-text = La photo avec un cadre autour de chaque visage ; { $faces }.
alternative-text-face = cadre { $number } : { $person }
alternative-text-crop = Le carré proposé, découpé dans la photo : { $text }
alternative-text-inside = Deux parties. Le visage en couleur et en 128×128 pixels gris, avec la première ligne de nombres. Neuf pixels, poids et produits d’un filtre : { $sum } Les huit filtres qui réagissent le plus, avec leurs cartes, et ce qu’un canal plus profond préfère.
alternative-text-outcome = Trois parties. Des cartes sur le visage : les votes pour { $age } ans, et comment l’estimation change là où le visage est couvert. { $regions } Un graphique de la probabilité de chaque âge, maximale à { $peak } ; la moitié est au-dessous de { $age }. Le visage en cinq cadrages, estimé à { $guesses } ans.

## What would help

tip-too-small = Le visage a très peu de pixels : approche-toi, ou envoie la photo dans sa taille d’origine.
tip-cut-off = Une partie du visage est hors de l’image : laisse un peu d’espace autour.
tip-covered = Une partie du visage est cachée : rien ne devrait être devant, ni mains ni cheveux, ni masque ni lunettes noires.
tip-turned = Le visage est détourné : regarde l’appareil bien en face.
tip-dark = Le visage manque de lumière : tourne-toi vers une fenêtre ou une lampe.
tip-one-sided = La lumière vient d’un côté et laisse la moitié du visage dans l’ombre : tourne-toi vers elle.
tip-bright = Le visage est surexposé : évite la lumière dure et le flash.
tip-blurred = Le visage est flou : tiens bien l’appareil, ou envoie l’original plutôt qu’une copie.
tip-noisy = L’image a beaucoup de grain : prends-la avec plus de lumière, ou envoie l’original plutôt qu’une copie.
good-photo =
    { $what ->
        [gender] La photo est bonne : le sexe ne se lit tout simplement pas bien sur ce visage, et une autre photo n’aiderait guère.
       *[age] La photo est bonne : ce visage fait tout simplement plusieurs âges, et une autre photo n’aiderait guère.
    }
faces-help = Ce qui aiderait : { $help }.
faces-good-photo =
    { $what ->
        [gender] La photo est bonne : les visages dont je doute peuvent tout simplement être ceux d’un homme comme d’une femme.
        [both] La photo est bonne : les visages dont je doute font tout simplement plusieurs âges, ou peuvent être d’un homme comme d’une femme.
       *[age] La photo est bonne : les visages dont je doute font tout simplement plusieurs âges.
    }
help-for-faces = { $help } ({ $numbers })
help-too-small = s’approcher, ou la photo dans sa taille d’origine
help-cut-off = un peu d’espace autour du visage
help-covered = rien devant le visage
help-turned = un regard bien en face de l’appareil
help-dark = plus de lumière sur le visage
help-one-sided = une lumière de face
help-bright = une lumière plus douce
help-blurred = une image plus nette
help-noisy = une image avec moins de grain

## How I see a face

seen = Voilà tout ce que je regarde : 128×128 pixels gris. Les cartes montrent ce que j’en fais. Mon estimation est { $age } ; pour quatre visages sur cinq, l’âge est entre { $low } et { $high }.
seen-gender = Sur 100 visages comme celui-ci, je dirais que { $female } sont ceux de femmes.
explain-title = Comment je vois ce visage
explain-numbers = De la photo aux nombres
explain-photo = La photo : { $width } × { $height } pixels × 3 couleurs = { $colours } nombres ; en gris { $greys }.
explain-crop = Tout ce que je reçois : 128 × 128 pixels gris = { $numbers } nombres.
explain-first-row = Sa première ligne en nombres : 0 est noir, 255 est blanc.
explain-filter = Un filtre au travail
explain-inputs = neuf pixels
explain-weights = fois le filtre
explain-products = neuf produits
explain-sum = La somme des produits est { $sum }. Avec { $bias } en plus, et rien sous zéro, cela donne { $output } dans la carte du filtre.
explain-strongest = Les huit filtres qui réagissent le plus à ce visage, chacun avec sa carte :
explain-deep = Ce que le canal { $channel } sur { $channels }, plus profond, préfère (je ne peux pas montrer les visages dont j’ai appris) :
explain-deep-here = dans ce visage
explain-deep-mean = dans la moyenne de nombreux visages
explain-deep-fired = où il réagit ici
explain-voted = Qui a voté, et où
explain-age-votes = votes pour { $age } ans ; avec { $bias } pour tout visage, le total est { $logit }
explain-gender-votes = votes pour féminin ou contre ; avec { $bias } pour tout visage, le total est { $logit }
explain-covered = couvert ici, je dirais jusqu’à { $older } ans de plus ou { $younger } ans de moins
explain-regions = Si une partie du visage est couverte, mon estimation change de (ans) : { $regions }.
explain-region =
    { $region ->
        [forehead] front { $years }
        [eyes] yeux { $years }
        [nose] nez { $years }
        [mouth] bouche { $years }
       *[chin] menton { $years }
    }
explain-negative = contre · plus jeune
explain-positive = pour · plus âgé
explain-shaky =
    { $map ->
        [votes] La carte des votes est fragile ici : elle change quand le visage bouge d’un pixel.
        [covered] La carte des endroits couverts est fragile ici : elle change quand le visage bouge d’un pixel.
       *[both] Les deux cartes sont fragiles ici : elles changent quand le visage bouge d’un pixel.
    }
explain-vote = Le vote
explain-axis-age = âge en années
explain-axis-probability = probabilité en %
explain-median = { $age } ans : la moitié de la probabilité est à gauche
explain-range = de { $low } à { $high } ans : l’âge réel de quatre visages sur cinq
explain-change = Un petit changement
explain-framing =
    { $sure ->
        [yes] { $age } ({ $low }–{ $high }), sûr
       *[no] { $age } ({ $low }–{ $high }), pas sûr
    }
explain-kind =
    { $kind ->
        [same] tel quel
        [closer] { $amount } % plus près
        [wider] { $amount } % plus large
        [shifted] décalé de { $amount } %
        [tilted] incliné de { $amount }°
        [darker] { $amount } % de lumière en moins
        [brighter] { $amount } % de lumière en plus
       *[blurred] flou de { $amount } pixels
    }
explain-tips =
    { $sure ->
        [yes] Le plus petit changement qui me ferait douter : { $change }.
       *[no] Le plus petit changement qui me rendrait sûr : { $change }.
    }
explain-tips-not =
    { $sure ->
        [yes] Aucun des { $tried } petits changements que j’ai essayés ne me fait douter.
       *[no] Aucun des { $tried } petits changements que j’ai essayés ne me rend sûr.
    }
explain-note = Cela montre où l’image a compté pour le réseau, et non pourquoi quelqu’un paraît son âge.
thousands-separator = { "\u00A0" }
decimal-mark = ,
list-separator = { ", " }

## Problems

problem-no-photo = Je ne vois pas d’image. Joins une photo, ou utilise la commande en réponse à une photo.
problem-no-profile-picture = Cette personne n’a pas de photo de profil. Choisis plutôt un message avec une photo, s’il te plaît.
problem-platform-limit = Ce fichier est trop gros : ici, les bots ne peuvent récupérer que des fichiers de { $limit } au plus. Envoie-le comme photo plutôt que comme fichier, ou en plus petit.
problem-too-large = Ce fichier est trop gros : j’accepte les photos jusqu’à { $limit }. Envoie une version plus petite, s’il te plaît.
problem-too-many-pixels = Cette image est trop grande : { $width }×{ $height } pixels, alors que j’accepte jusqu’à { $limit } mégapixels. Envoie une version plus petite, s’il te plaît.
problem-too-much-work = Ce fichier est bien plus long à lire qu’une photo. Enregistre-le encore une fois en JPEG ou envoie une capture d’écran, s’il te plaît.
problem-gone = Ce fichier n’est plus là. Renvoie la photo, s’il te plaît.
problem-foreign-host = Je ne récupère que les photos envoyées ici même. Joins la photo, s’il te plaît.
problem-download = Je n’ai pas pu récupérer cette photo. Renvoie-la dans un instant, s’il te plaît.
problem-empty = Ce fichier est vide. Renvoie la photo, s’il te plaît.
problem-not-a-picture = Ce n’est pas une image, mais autre chose ({ $what }). Envoie une photo, s’il te plaît : JPEG, PNG, WebP ou GIF.
problem-unsupported = Cette image est au format { $format }, que je ne sais pas encore lire. Envoie-la en JPEG, PNG, WebP ou GIF, s’il te plaît ; une capture d’écran convient aussi.
problem-truncated = Cette image est incomplète : l’envoi s’est arrêté avant la fin. Renvoie-la, s’il te plaît.
problem-damaged = Cette image au format { $format } est endommagée et illisible. Enregistre-la encore une fois ou envoie-en une autre, s’il te plaît.
problem-unreadable = Je n’arrive pas à ouvrir ce fichier : { $reason }.
problem-overloaded = Je suis occupé avec d’autres photos. Réessaie dans un instant, s’il te plaît.
problem-expired = C’était trop long, j’ai laissé tomber. Réessaie, s’il te plaît, peut-être avec une image plus petite.
problem-stopped = Je suis en train de redémarrer. Renvoie-la dans une minute, s’il te plaît.
problem-failed = Quelque chose s’est mal passé de mon côté avec cette image. Essaie avec une autre, s’il te plaît.
problem-interrupted = J’ai été interrompu avant de pouvoir répondre à cette photo, et il est maintenant trop tard. Renvoie-la, s’il te plaît.
problem-cannot-write = J’ai vu ta photo, mais je n’ai pas le droit d’écrire dans cette discussion. Demande à un admin de m’autoriser à envoyer des messages, ou envoie-moi la photo ici.
problem-opted-out = La personne qui a publié cette photo m’a demandé de ne pas regarder ses photos.
problem-no-such-face =
    { $count ->
        [one] Cette photo n’a qu’un visage.
       *[other] Cette photo a { $count } visages : choisis un numéro de 1 à { $count }.
    }
problem-too-often =
    { $seconds ->
        [one] Ça fait beaucoup de photos. Reviens dans une seconde, s’il te plaît.
       *[other] Ça fait beaucoup de photos. Reviens dans { $seconds } secondes, s’il te plaît.
    }

## Help and privacy

help =
    Salut ! Envoie-moi la photo d’un visage : je devine quel âge fait la personne et si c’est un homme ou une femme, et je te dis à quel point j’en suis sûr.

    { $how }

    Pour une bonne estimation : un seul visage, tourné vers l’appareil, bien éclairé, avec un peu d’espace autour.

    Je suis un petit réseau de neurones qui regarde 128×128 pixels gris et qui a été entraîné sur des dizaines de milliers de visages : je devine d’après l’apparence, je ne sais rien de la personne. /privacy dit ce que devient ta photo.
how-discord = Envoie-moi une photo en message privé, mentionne-moi avec une photo (ou en réponse à une photo), utilise /guess, ou choisis « Deviner l’âge » sous Applications dans le menu d’un message ou d’une personne. Avec « Ajouter l’application » sur mon profil, les deux dernières marchent partout, et la réponse n’est visible que par toi. Admins : /auto répond à chaque photo d’un salon, /settings montre le reste.
how-telegram = Ici, envoie-moi simplement une photo. Dans un groupe, envoie-la avec la légende /guess, ou réponds /guess à une photo. Admins : /auto on répond à chaque photo d’un groupe, /settings montre le reste.
how-matrix = Ici, envoie-moi simplement une photo. Dans un salon à plusieurs, réponds !age à une photo, ou envoie-la avec la légende !age ; me mentionner revient au même. !age explain montre comment je vois un visage. Modération : !age auto on répond à chaque photo, !age settings montre le reste.
how-guest = Là où je ne suis pas membre, mentionne-moi dans la légende d’une photo ou en réponse à une photo.
privacy-mode = Telegram me cache les photos des groupes, sauf si elles viennent avec une commande. Pour /auto, nomme-moi admin de ce groupe, ou désactive mon mode de confidentialité avec @BotFather (/setprivacy) puis ajoute-moi de nouveau.
business-declined = Tu m’as connecté à ton compte professionnel. Je ne suis pas fait pour ça : je ne lis pas ce que tes clients y écrivent et je n’y réponds pas ; tu peux me déconnecter dans les réglages de Telegram, rubrique Business. Tes propres photos sont les bienvenues ici.
matrix-encrypted = Ce salon est chiffré, et je ne sais pas lire les messages chiffrés. Crée un salon sans chiffrement, invite-m’y et envoie-moi ta photo là-bas.
privacy =
    Ta photo est analysée dans la mémoire de l’ordinateur sur lequel je tourne, puis oubliée : elle n’est ni enregistrée, ni utilisée pour l’entraînement, ni envoyée à qui que ce soit. Là où je ne suis pas membre, je ne vois que ce que tu me montres : le message qui me mentionne et celui auquel il répond, ou ce sur quoi tu utilises ma commande.

    Ce que je garde : les réglages d’une discussion (langue, réponses automatiques, genre, sourire), les tiens (langue, genre, /optout), et les scores du jeu avec le nom de celles et ceux qui jouent. Jusqu’à ma réponse, je retiens où se trouve ta photo, pour qu’elle ne se perde pas en cas de redémarrage. /forget efface ce que je garde sur toi ; utilisé par un admin dans un groupe, /forget efface aussi ce que je garde sur le groupe. Le journal de mon ordinateur ne contient ni images, ni noms, ni messages, ni identifiants, seulement des identifiants brouillés avec un secret qui change à chaque démarrage. La plateforme sur laquelle tu écris a ses propres règles.
forgotten-person = C’est fait : je ne garde plus rien sur toi.
forgotten-chat = C’est fait : je ne garde plus rien sur toi ni sur cette discussion.
opted-out = C’est fait : désormais, j’ignore tes photos ici, peu importe qui demande. /optin annule ce choix.
opted-in = C’est fait : je regarde de nouveau tes photos quand on me le demande.

## Settings

settings = Réglages de cette discussion. Appuie pour changer :
settings-typed = Réglages de ce salon. Pour changer, tape la commande au début d’une ligne :
settings-auto =
    { $on ->
        [yes] Réponses automatiques : oui
       *[no] Réponses automatiques : non
    }
settings-private =
    { $on ->
        [yes] Réponses : seulement à qui a demandé
       *[no] Réponses : visibles par tout le monde
    }
settings-gender =
    { $gender ->
        [never] Genre : jamais indiqué
        [sure] Genre : seulement si j’en suis sûr
       *[always] Genre : indiqué
    }
settings-smile =
    { $smile ->
        [never] Sourire : jamais mentionné
       *[sure] Sourire : seulement si j’en suis sûr
    }
settings-language = Langue : { $language }
settings-language-client = Langue : celle de chacun
auto-on = Désormais, je réponds à chaque photo dans cette discussion. /auto off y met fin.
auto-off = Ici, je ne réponds plus aux photos, sauf si on me le demande.
auto-direct = En tête-à-tête avec moi, je réponds de toute façon à chaque photo.
auto-state =
    { $on ->
        [yes] Les réponses automatiques sont activées dans cette discussion. /auto off les arrête.
       *[no] Les réponses automatiques sont désactivées dans cette discussion. /auto on les active.
    }
auto-unseen = Ici, Discord me cache les photos si on ne me mentionne pas. Pour /auto, la personne qui m’héberge doit m’autoriser le « message content intent » (discord.message_content dans ma configuration).
private-start = Dans ce groupe, je ne réponds qu’à la personne qui a demandé, en privé. Ouvre une discussion avec moi, appuie sur Démarrer, puis redemande.
admin-cannot-write = Quelqu’un m’a interrogé sur une photo dans « { $chat } », mais je n’ai pas le droit d’y écrire. Autorise-moi à y envoyer des messages, ou désactive les réponses automatiques. Je le rappelle une fois par jour au plus.
admins-only = Seul un admin de cette discussion peut changer ça.
language-set = Maintenant, je parle { $language }.
language-unknown = Je ne parle pas encore cette langue. Je parle : { $languages }.
gender-set =
    { $gender ->
        [never] Je ne devine plus ton genre.
        [sure] Je ne devine ton genre que si j’en suis sûr.
       *[always] Je devine de nouveau ton genre.
    }

## Buttons

button-see = Comment me vois-tu ?
button-crop = Essayer le recadrage proposé
button-anyway = Deviner quand même
button-delete = Supprimer
not-yours = Seule la personne qui a demandé peut faire ça.
reply-deleted = (supprimé)
gone = Cette photo n’est plus là, je ne peux donc plus la regarder.

## The game

game = Quel âge a cette personne ? Appuie sur ta réponse ; seule la première compte. La personne qui a lancé la partie dévoile la mienne.
game-players =
    { $count ->
        [0] Personne n’a encore répondu.
        [one] Une réponse pour l’instant.
       *[other] { $count } réponses pour l’instant.
    }
game-reveal = Dévoiler
game-taken = Ta réponse : { $age }.
game-already-guessed = Tu as déjà répondu : { $age }.
game-host = Tu connais la réponse : laisse les autres deviner.
game-over = Cette partie est terminée.
game-unsure = Pour le jeu, il me faut une photo avec un seul visage bien visible.
game-mine = Ma réponse : { $person }.
game-truth = L’âge réel : { $age }.
game-winner =
    { $count ->
        [one] Au plus près : { $names }, avec { $age }. Un point !
       *[other] Au plus près : { $names }, avec { $age }. Un point pour chacun !
    }
game-nobody = Personne n’a répondu cette fois.
game-beaten = Et plus près que moi !
scores = Scores dans cette discussion :
score = { $place }. { $name } : { $points }
scores-none = Personne n’a encore de points ici. /game sur une photo lance une partie.

## Commands, as the platforms' menus show them

command-guess = Deviner quel âge font les gens sur une photo
command-guess-photo = Une photo avec un visage, ou plusieurs
command-game = Devinez l’âge d’abord, puis voyez ma réponse
command-game-age = L’âge réel, dévoilé à la fin
command-scores = Qui devine le mieux dans cette discussion
command-auto = Répondre à chaque photo de cette discussion, ou arrêter (admins)
command-settings = Voir et changer mon comportement dans cette discussion
command-language = Choisir la langue que je parle avec toi
command-gender = Si je devine ton genre : toujours, si sûr ou jamais
command-optout = Ignorer mes photos
command-optin = Regarder de nouveau mes photos
command-forget = Effacer ce qui est enregistré sur moi
command-privacy = Ce que devient ta photo
command-help = Ce que je sais faire, et comment réussir une bonne photo

# Names of the commands in Discord's menus: lower case, no spaces, at most 32 characters, all different.
name-guess = deviner
name-game = jeu
name-scores = scores
name-auto = automatique
name-settings = réglages
name-language = langue
name-gender = genre
name-optout = ignorer
name-optin = ne-plus-ignorer
name-forget = oublier
name-privacy = confidentialité
name-help = aide
# In the menu of a message; at most 32 characters, spaces and capitals allowed.
name-guess-age = Deviner l’âge
