# What the bot says. Every language has the same messages with the same variables; a test holds that.
#
# Lengths that platforms allow: a button 80 characters, a command's description 100, an alert 200.

## Guesses

# One face. $who is one of the values below; $age, $low and $high are whole years.
person =
    { $who ->
        [small-child] ein kleines Kind
        [child] ein Kind
        [young-person] ein junger Mensch
        [girl] ein Mädchen
        [boy] ein Junge
        [woman] eine Frau
        [man] ein Mann
        [unclear] ein Mann oder eine Frau – da lege ich mich nicht fest –
       *[person] eine Person
    } von etwa { $age ->
        [one] { $age } Jahr
       *[other] { $age } Jahren
    } (wahrscheinlich { $low } bis { $high })
guess-sure = Sieht aus wie { $person }.
guess-unsure = Ich bin mir nicht sicher, aber ich würde sagen: { $person }.
guess-tip = Tipp: { $tips }
faces = Ich sehe { $count } Gesichter, von links nach rechts nummeriert:
face-sure = { $number }. { $person }
face-unsure = { $number }. { $person } (unsicher)
face-unsure-why = { $number }. { $person } (unsicher, { $why })
faces-more = … und noch { $count }.
photo-number = Foto { $number }: { $text }
photo-waiting = ich schaue noch …
no-face = Ich finde kein Gesicht auf diesem Bild. Tipp: Schick ein Foto, auf dem ein Gesicht zur Kamera schaut, gut beleuchtet und mindestens so groß wie ein Vorschaubild; oft hilft es, enger zuzuschneiden.
helped-turn-left = Das Foto liegt auf der Seite; das Gesicht habe ich gefunden, nachdem ich es nach links gedreht habe.
helped-turn-right = Das Foto liegt auf der Seite; das Gesicht habe ich gefunden, nachdem ich es nach rechts gedreht habe.
helped-turn-over = Das Foto steht auf dem Kopf; das Gesicht habe ich gefunden, nachdem ich es umgedreht habe.
picture-cut-short = Das Bild ist unvollständig; das zeigt der Rest.
guess-anyway = Ich habe kein Gesicht gefunden, deshalb schätze ich nur das Quadrat in der Mitte: { $person }. Verlass dich nicht darauf.
guess-crop = Mit dem vorgeschlagenen Ausschnitt: { $text }
crop-offered = Ich kann das Foto für dich zuschneiden: Drück einfach den Knopf unten.
alternative-text = Das Foto mit einem Rahmen um jedes Gesicht; { $faces }.
alternative-text-face = Rahmen { $number }: { $person }
alternative-text-crop = Das vorgeschlagene Quadrat, aus dem Foto ausgeschnitten: { $text }
alternative-text-seen = Das Gesicht, wie ich es sehe, 128×128 graue Pixel, daneben eine Kurve, die zeigt, wie wahrscheinlich jedes Alter ist; am höchsten ist sie bei etwa { $age }.

## What would help

tip-too-small = Das Gesicht ist klein im Bild: Schneide enger zu oder geh näher heran.
tip-cut-off = Ein Teil des Gesichts ist nicht auf dem Bild: Lass ringsum etwas Platz.
tip-turned = Das Gesicht ist abgewandt: Schau direkt in die Kamera.
tip-dark = Das Gesicht bekommt wenig Licht: Dreh dich zu einem Fenster oder einer Lampe.
tip-bright = Das Gesicht ist überbelichtet: Vermeide grelles Licht und Blitz.
tip-blurred = Das Gesicht ist unscharf: Halte die Kamera ruhig oder schick das Original statt einer Kopie.
tip-none = Probier ein anderes Foto: Gesicht zur Kamera, gleichmäßiges Licht, Augen und Mund frei; zu manchen Gesichtern passt einfach mehr als ein Alter.
why-too-small = klein im Bild
why-cut-off = angeschnitten
why-turned = abgewandt
why-dark = wenig Licht
why-bright = überbelichtet
why-blurred = unscharf

## How I see a face

seen = Das ist alles, was ich mir ansehe: 128×128 graue Pixel. Die Kurve zeigt, für wie wahrscheinlich ich jedes Alter halte; die Hälfte davon liegt links von { $age }. Bei vier von fünf Gesichtern liegt das Alter zwischen den beiden Marken, { $low } und { $high }.
seen-gender = Von 100 solchen Gesichtern halte ich { $female } für weiblich.

## Problems

problem-no-photo = Ich sehe da kein Bild. Häng ein Foto an oder nutz den Befehl als Antwort auf eines.
problem-platform-limit = Die Datei ist zu groß: Bots dürfen hier nur Dateien bis { $limit } abrufen. Schick sie als Foto statt als Datei oder in einer kleineren Version.
problem-too-large = Die Datei ist zu groß: Ich nehme Fotos bis { $limit }. Bitte schick eine kleinere Version.
problem-too-many-pixels = Das Bild ist zu groß: { $width }×{ $height } Pixel, und ich nehme höchstens { $limit } Megapixel. Bitte schick eine kleinere Version.
problem-too-much-work = Diese Datei braucht viel länger zum Lesen als ein Foto. Bitte speichere sie noch einmal als JPEG, oder schick einen Screenshot davon.
problem-gone = Die Datei ist nicht mehr da. Bitte schick das Foto noch einmal.
problem-foreign-host = Ich rufe nur Fotos ab, die hier hochgeladen wurden. Bitte häng das Foto an.
problem-download = Ich konnte das Foto nicht abrufen. Bitte schick es gleich noch einmal.
problem-empty = Die Datei ist leer. Bitte schick das Foto noch einmal.
problem-not-a-picture = Das ist kein Bild, sondern etwas anderes ({ $what }). Bitte schick ein Foto: JPEG, PNG, WebP oder GIF.
problem-unsupported = Das Bild hat das Format { $format }, das ich noch nicht lesen kann. Bitte schick es als JPEG, PNG, WebP oder GIF; ein Screenshot tut es auch.
problem-truncated = Das Bild ist unvollständig: Das Hochladen brach vor dem Ende ab. Bitte schick es noch einmal.
problem-damaged = Das Bild (Format { $format }) ist beschädigt und lässt sich nicht lesen. Bitte speichere es neu oder schick ein anderes.
problem-unreadable = Ich kann die Datei nicht öffnen: { $reason }.
problem-overloaded = Ich bin gerade mit anderen Fotos beschäftigt. Bitte versuch es gleich noch einmal.
problem-expired = Das hat zu lange gedauert, deshalb habe ich aufgegeben. Bitte versuch es noch einmal, vielleicht mit einem kleineren Bild.
problem-stopped = Ich werde gerade neu gestartet. Bitte schick es in einer Minute noch einmal.
problem-failed = Bei diesem Bild ist bei mir etwas schiefgegangen. Bitte versuch es mit einem anderen.
problem-interrupted = Ich wurde unterbrochen, bevor ich dieses Foto beantworten konnte, und jetzt ist es zu spät. Bitte schick es noch einmal.
problem-cannot-write = Ich habe dein Foto gesehen, darf in jenem Chat aber nicht schreiben. Bitte jemanden von der Verwaltung, mir das Senden von Nachrichten zu erlauben, oder schick mir das Foto hier.
problem-opted-out = Wer dieses Foto gepostet hat, möchte nicht, dass ich mir seine Fotos ansehe.
problem-too-often =
    { $seconds ->
        [one] Das sind viele Fotos auf einmal. Komm bitte in einer Sekunde wieder.
       *[other] Das sind viele Fotos auf einmal. Komm bitte in { $seconds } Sekunden wieder.
    }

## Help and privacy

help =
    Hallo! Schick mir ein Foto von einem Gesicht, und ich schätze, wie alt die Person aussieht, ob es ein Mann oder eine Frau ist und wie sicher ich mir bin.

    { $how }

    Für eine gute Schätzung: ein Gesicht, zur Kamera gewandt, gut beleuchtet, mit etwas Platz ringsum.

    Ich bin ein kleines neuronales Netz, das sich 128×128 graue Pixel ansieht und von rund zehntausend Gesichtern gelernt hat: Ich schätze, wie jemand aussieht, und weiß nichts über die Person selbst. Was mit deinem Foto passiert, steht unter /privacy.
how-discord = Schick mir ein Foto als Direktnachricht, erwähne mich mit einem Foto (oder als Antwort auf eines), nutz /guess oder wähl „Alter schätzen“ unter „Apps“ im Menü einer Nachricht. Für Admins: /auto beantwortet jedes Foto in einem Kanal, /settings zeigt den Rest.
how-telegram = Hier schickst du mir einfach ein Foto. In einer Gruppe schick es mit der Bildunterschrift /guess oder antworte mit /guess auf eines. Für Admins: /auto on beantwortet jedes Foto einer Gruppe, /settings zeigt den Rest.
privacy-mode = Telegram zeigt mir Fotos in Gruppen nur, wenn ein Befehl dabei ist. Damit /auto funktioniert, mach mich zum Admin dieser Gruppe oder schalte meinen Privatsphäre-Modus bei @BotFather aus (/setprivacy) und füg mich neu hinzu.
privacy =
    Dein Foto wird im Arbeitsspeicher des Computers angesehen, auf dem ich laufe, und dann vergessen: Es wird nicht gespeichert, nicht zum Training verwendet und an niemanden weitergegeben.

    Was ich aufhebe: die Einstellungen eines Chats (Sprache, automatische Antworten, Geschlecht), deine (Sprache, Geschlecht, /optout) und die Punkte im Spiel mit den Namen derer, die mitspielen. Bis ich geantwortet habe, merke ich mir, wo dein Foto zu finden ist, damit ein Neustart es nicht verliert. /forget löscht, was ich über dich aufhebe; schreibt ein Admin /forget in einer Gruppe, lösche ich, was ich über die Gruppe aufhebe. Das Protokoll auf meinem Rechner enthält keine Bilder, Namen, Nachrichten oder IDs, nur IDs, die mit einem Geheimnis unkenntlich gemacht sind, das bei jedem Start wechselt. Die Plattform, auf der du schreibst, hat ihre eigenen Regeln.
forgotten-person = Erledigt: Ich hebe nichts mehr über dich auf.
forgotten-chat = Erledigt: Ich hebe nichts mehr über dich oder diesen Chat auf.
opted-out = Erledigt: Ab jetzt ignoriere ich deine Fotos hier, egal wer fragt. /optin macht das rückgängig.
opted-in = Erledigt: Ich sehe mir deine Fotos wieder an, wenn mich jemand darum bittet.

## Settings

settings = Einstellungen dieses Chats. Drück drauf, um sie zu ändern:
settings-auto =
    { $on ->
        [yes] Automatische Antworten: an
       *[no] Automatische Antworten: aus
    }
settings-private =
    { $on ->
        [yes] Antworten: nur an die fragende Person
       *[no] Antworten: für alle sichtbar
    }
settings-gender =
    { $gender ->
        [never] Geschlecht: nie nennen
        [sure] Geschlecht: nur wenn sicher
       *[always] Geschlecht: nennen
    }
settings-language = Sprache: { $language }
settings-language-client = Sprache: für alle die eigene
auto-on = Ab jetzt beantworte ich jedes Foto in diesem Chat. /auto off beendet das.
auto-off = Ich beantworte Fotos hier nur noch, wenn mich jemand darum bittet.
auto-direct = Wenn du allein mit mir schreibst, beantworte ich ohnehin jedes Foto.
auto-state =
    { $on ->
        [yes] Automatische Antworten sind in diesem Chat an. /auto off schaltet sie aus.
       *[no] Automatische Antworten sind in diesem Chat aus. /auto on schaltet sie an.
    }
auto-unseen = Discord zeigt mir Fotos hier nur, wenn ich erwähnt werde. Für /auto muss mir, wer mich betreibt, den „message content intent“ erlauben (discord.message_content in meiner Konfiguration).
private-start = In dieser Gruppe antworte ich nur dir, im privaten Chat. Bitte öffne einen mit mir, drück Start und frag dann noch einmal.
admin-cannot-write = In „{ $chat }“ hat mich jemand nach einem Foto gefragt, aber ich darf dort nicht schreiben. Bitte erlaube mir, dort Nachrichten zu senden, oder schalte automatische Antworten aus. Ich sage das höchstens einmal am Tag.
admins-only = Das kann nur ein Admin dieses Chats ändern.
language-set = Ab jetzt spreche ich { $language }.
language-unknown = Das spreche ich noch nicht. Ich kann: { $languages }.
gender-set =
    { $gender ->
        [never] Ich schätze dein Geschlecht nicht mehr.
        [sure] Ich schätze dein Geschlecht nur noch, wenn ich mir sicher bin.
       *[always] Ich schätze dein Geschlecht wieder.
    }

## Buttons

button-see = Wie siehst du mich?
button-crop = Vorgeschlagenen Ausschnitt probieren
button-anyway = Trotzdem schätzen
button-delete = Löschen
not-yours = Das kann nur, wer gefragt hat.
reply-deleted = (gelöscht)
gone = Das Foto ist nicht mehr da, deshalb kann ich nicht noch einmal nachsehen.

## The game

game = Wie alt ist diese Person? Drück auf deine Schätzung; die erste zählt. Wer das Spiel gestartet hat, deckt meine auf.
game-players =
    { $count ->
        [0] Noch hat niemand geschätzt.
        [one] Bisher eine Schätzung.
       *[other] Bisher { $count } Schätzungen.
    }
game-reveal = Auflösen
game-taken = Deine Schätzung: { $age }.
game-changed = Du hast schon geschätzt: { $age }.
game-host = Du kennst die Antwort: Lass die anderen schätzen.
game-over = Dieses Spiel ist vorbei.
game-unsure = Für das Spiel brauche ich ein Foto mit einem einzigen, gut erkennbaren Gesicht.
game-mine = Meine Schätzung: { $person }.
game-truth = Das wahre Alter: { $age }.
game-winner =
    { $count ->
        [one] Am nächsten dran: { $names } mit { $age }. Ein Punkt!
       *[other] Am nächsten dran: { $names } mit { $age }. Je ein Punkt!
    }
game-nobody = Diesmal hat niemand geschätzt.
game-beaten = Und näher dran als ich!
scores = Punktestand in diesem Chat:
score = { $place }. { $name }: { $points }
scores-none = Hier hat noch niemand Punkte. /game bei einem Foto startet ein Spiel.

## Commands, as the platforms' menus show them

command-guess = Schätzen, wie alt die Leute auf einem Foto aussehen
command-guess-photo = Ein Foto mit einem Gesicht oder mehreren
command-game = Schätzt das Alter erst selbst und seht dann meine Schätzung
command-game-age = Das wahre Alter, am Ende aufgedeckt
command-scores = Wer in diesem Chat am besten schätzt
command-auto = Jedes Foto in diesem Chat beantworten oder damit aufhören (Admins)
command-settings = Zeigen und ändern, wie ich mich in diesem Chat verhalte
command-language = Welche Sprache ich mit dir spreche
command-gender = Ob ich dein Geschlecht schätze: immer, wenn sicher oder nie
command-optout = Meine Fotos ignorieren
command-optin = Meine Fotos wieder ansehen
command-forget = Löschen, was über mich aufgehoben ist
command-privacy = Was mit deinem Foto passiert
command-help = Was ich kann und wie ein gutes Foto gelingt

# Names of the commands in Discord's menus: lower case, no spaces, at most 32 characters, all different.
name-guess = schätzen
name-game = spiel
name-scores = punkte
name-auto = automatik
name-settings = einstellungen
name-language = sprache
name-gender = geschlecht
name-optout = ignorieren
name-optin = beachten
name-forget = vergessen
name-privacy = datenschutz
name-help = hilfe
# In the menu of a message; at most 32 characters, spaces and capitals allowed.
name-guess-age = Alter schätzen
