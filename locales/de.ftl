# The bot's messages. A test checks that every language has the same messages with the same variables.
#
# Lengths that platforms allow: a button 80 characters, a command's description 100, an alert 200.

## Guesses

# One face. $who is one of the values below; $age, $low and $high are whole years, and $age is at least 2 except for a baby.
person =
    { $who ->
        [baby] ein Baby (wahrscheinlich { $low } bis { $high } Jahre alt)
        [toddler] ein Kleinkind von etwa { $age } Jahren (wahrscheinlich { $low } bis { $high })
        [child] ein Kind von etwa { $age } Jahren (wahrscheinlich { $low } bis { $high })
        [young-person] ein junger Mensch von etwa { $age } Jahren (wahrscheinlich { $low } bis { $high })
        [girl] ein Mädchen von etwa { $age } Jahren (wahrscheinlich { $low } bis { $high })
        [boy] ein Junge von etwa { $age } Jahren (wahrscheinlich { $low } bis { $high })
        [woman] eine Frau von etwa { $age } Jahren (wahrscheinlich { $low } bis { $high })
        [man] ein Mann von etwa { $age } Jahren (wahrscheinlich { $low } bis { $high })
        [unclear] jemand von etwa { $age } Jahren (wahrscheinlich { $low } bis { $high }) – ob Mann oder Frau, kann ich nicht sagen
       *[person] eine Person von etwa { $age } Jahren (wahrscheinlich { $low } bis { $high })
    }
person-of-any-age =
    { $who ->
        [woman] eine Frau im Alter zwischen { $low } und { $high } Jahren
        [man] ein Mann im Alter zwischen { $low } und { $high } Jahren
       *[other] jemand im Alter zwischen { $low } und { $high } Jahren
    }
person-smiling =
    { $who ->
        [unclear] { $person }; die Person lächelt
       *[other] { $person }, lächelnd
    }
guess-sure = Sieht aus wie { $person }.
guess-unsure =
    { $what ->
        [unknown-age] Das Alter kann ich nicht erkennen; möglich wäre: { $person }.
        [gender] Beim Geschlecht bin ich mir nicht sicher, aber ich würde sagen: { $person }.
        [both] Bei Alter und Geschlecht bin ich mir nicht sicher, aber ich würde sagen: { $person }.
       *[age] Beim Alter bin ich mir nicht sicher, aber ich würde sagen: { $person }.
    }
guess-tip = Tipp: { $tips }
faces =
    Ich sehe { $count } Gesichter, nummeriert { $order ->
        [down] von oben nach unten
       *[across] von links nach rechts
    }{ $ages ->
        [unsure] ; bei keinem Alter bin ich mir sicher:
       *[some-sure] :
    }
face-sure = { $number }. { $person }
face-unsure =
    { $what ->
        [gender] { $number }. { $person } (Geschlecht unsicher)
        [both] { $number }. { $person } (Alter und Geschlecht unsicher)
       *[age] { $number }. { $person } (Alter unsicher)
    }
faces-more = … und noch { $count }.
photo-number = Foto { $number }: { $text }
photo-waiting = ich schaue noch …
no-face = Ich finde kein Gesicht auf diesem Bild. Tipp: Schick ein Foto, auf dem ein Gesicht zur Kamera schaut, gut beleuchtet und mindestens so groß wie ein Vorschaubild; oft hilft es, enger zuzuschneiden.
rotated-left = Das Foto liegt auf der Seite; ich habe es zum Ansehen nach links gedreht.
rotated-right = Das Foto liegt auf der Seite; ich habe es zum Ansehen nach rechts gedreht.
rotated-upside-down = Das Foto steht auf dem Kopf; ich habe es zum Ansehen umgedreht.
picture-cut-short = Das Bild ist unvollständig; ich konnte mir nur den vorhandenen Teil ansehen.
guess-anyway = Ich habe kein Gesicht gefunden, deshalb ist das nur eine Schätzung nach dem Quadrat in der Mitte: { $person }. Nimm die Schätzung nicht zu ernst.
guess-crop = Mit dem vorgeschlagenen Ausschnitt: { $text }
crop-offered = Mit einem engeren Ausschnitt bin ich mir sicherer: Drück einfach auf den Knopf unten.
alternative-text = Das Foto mit einem Rahmen um jedes Gesicht; { $faces }.
alternative-text-face = Rahmen { $number }: { $person }
alternative-text-crop = Das vorgeschlagene Quadrat, aus dem Foto ausgeschnitten: { $text }
alternative-text-inside = Zwei Teile. Das Gesicht in Farbe und als 128×128 graue Pixel, mit der ersten Zeile der Zahlen. Neun Pixel, Gewichte und Produkte eines Filters: { $sum } Die acht Filter, die am stärksten ansprechen, mit ihren Karten, und was ein tieferer Kanal am liebsten mag.
alternative-text-outcome = Drei Teile. Karten über dem Gesicht: die Stimmen für { $age } Jahre, und wie sich die Schätzung ändert, wo das Gesicht verdeckt ist. { $regions } Ein Diagramm, wie wahrscheinlich jedes Alter ist, am höchsten bei { $peak }; die Hälfte liegt unter { $age }. Das Gesicht in fünf Ausschnitten, geschätzt auf { $guesses } Jahre.

## What would help

tip-too-small = Das Gesicht hat nur sehr wenige Pixel: Geh näher heran oder schick das Foto in Originalgröße.
tip-cut-off = Ein Teil des Gesichts ist nicht auf dem Bild: Lass ringsum etwas Platz.
tip-covered = Ein Teil des Gesichts ist verdeckt: Nichts sollte davor sein, weder Hände und Haare noch Maske oder Sonnenbrille.
tip-turned = Das Gesicht ist abgewandt: Schau direkt in die Kamera.
tip-dark = Auf das Gesicht fällt zu wenig Licht: Dreh dich zu einem Fenster oder einer Lampe.
tip-one-sided = Das Licht kommt von einer Seite, und eine Hälfte des Gesichts liegt im Dunkeln: Dreh dich zum Licht.
tip-bright = Das Gesicht ist überbelichtet: Vermeide grelles Licht und Blitz.
tip-blurred = Das Gesicht ist unscharf: Halte die Kamera ruhig oder schick das Original statt einer Kopie.
tip-noisy = Das Bild rauscht: Mach es bei mehr Licht oder schick das Original statt einer Kopie.
good-photo =
    { $what ->
        [gender] Das Foto ist gut: Diesem Gesicht sieht man das Geschlecht einfach nicht deutlich an, und ein anderes Foto würde kaum helfen.
       *[age] Das Foto ist gut: Zu diesem Gesicht passt einfach mehr als ein Alter, und ein anderes Foto würde kaum helfen.
    }
faces-help = Was helfen würde: { $help }.
faces-good-photo =
    { $what ->
        [gender] Das Foto ist gut: Den Gesichtern, bei denen ich unsicher bin, sieht man das Geschlecht einfach nicht deutlich an.
        [both] Das Foto ist gut: Zu den Gesichtern, bei denen ich unsicher bin, passt einfach mehr als ein Alter oder Geschlecht.
       *[age] Das Foto ist gut: Zu den Gesichtern, bei denen ich unsicher bin, passt einfach mehr als ein Alter.
    }
help-for-faces = { $help } ({ $numbers })
help-too-small = näher herangehen oder das Foto in Originalgröße
help-cut-off = etwas Platz um das Gesicht
help-covered = nichts vor dem Gesicht
help-turned = ein Blick direkt in die Kamera
help-dark = mehr Licht auf dem Gesicht
help-one-sided = Licht von vorn
help-bright = weicheres Licht
help-blurred = ein schärferes Bild
help-noisy = ein Bild mit weniger Rauschen

## How I see a face

seen = Das ist alles, was ich mir ansehe: 128×128 graue Pixel. Die Karten zeigen, was ich daraus mache. Ich schätze { $age }; bei vier von fünf Gesichtern liegt das Alter zwischen { $low } und { $high }.
seen-gender = Von 100 Gesichtern wie diesem halte ich { $female } für weiblich.
explain-title = So sehe ich dieses Gesicht
explain-numbers = Vom Foto zu Zahlen
explain-photo = Das Foto: { $width } × { $height } Pixel × 3 Farben = { $colours } Zahlen; in Grau { $greys }.
explain-crop = Alles, was ich bekomme: 128 × 128 graue Pixel = { $numbers } Zahlen.
explain-first-row = Die erste Zeile als Zahlen: 0 ist Schwarz, 255 Weiß.
explain-filter = Ein Filter bei der Arbeit
explain-inputs = neun Pixel
explain-weights = mal den Filter
explain-products = neun Produkte
explain-sum = Die Produkte ergeben zusammen { $sum }. Mit { $bias } dazu, und nichts unter null, steht { $output } in der Karte des Filters.
explain-strongest = Die acht Filter, die auf dieses Gesicht am stärksten ansprechen, jeder mit seiner Karte:
explain-deep = Was Kanal { $channel } von { $channels }, weiter innen, am liebsten mag (Gesichter, aus denen ich gelernt habe, darf ich nicht zeigen):
explain-deep-here = in diesem Gesicht
explain-deep-mean = im Mittel vieler Gesichter
explain-deep-fired = wo er hier anspricht
explain-voted = Wer gestimmt hat, und wo
explain-age-votes = Stimmen für { $age } Jahre; mit { $bias } für jedes Gesicht zusammen { $logit }
explain-gender-votes = Stimmen für weiblich oder dagegen; mit { $bias } für jedes Gesicht zusammen { $logit }
explain-covered = hier verdeckt, würde ich bis zu { $older } Jahre älter oder { $younger } Jahre jünger schätzen
explain-regions = Ist ein Teil des Gesichts verdeckt, ändert sich meine Schätzung um (Jahre): { $regions }.
explain-region =
    { $region ->
        [forehead] Stirn { $years }
        [eyes] Augen { $years }
        [nose] Nase { $years }
        [mouth] Mund { $years }
       *[chin] Kinn { $years }
    }
explain-negative = dagegen · jünger
explain-positive = dafür · älter
explain-shaky =
    { $map ->
        [votes] Die Karte der Stimmen ist hier wacklig: Sie ändert sich, wenn das Gesicht um ein Pixel verschoben wird.
        [covered] Die Karte der verdeckten Stellen ist hier wacklig: Sie ändert sich, wenn das Gesicht um ein Pixel verschoben wird.
       *[both] Beide Karten sind hier wacklig: Sie ändern sich, wenn das Gesicht um ein Pixel verschoben wird.
    }
explain-vote = Die Abstimmung
explain-axis-age = Alter in Jahren
explain-axis-probability = Wahrscheinlichkeit in %
explain-median = { $age } Jahre: Links davon liegt die Hälfte der Wahrscheinlichkeit
explain-range = { $low } bis { $high } Jahre: Hier liegt das wahre Alter bei vier von fünf Gesichtern
explain-change = Eine kleine Änderung
explain-framing =
    { $sure ->
        [yes] { $age } ({ $low }–{ $high }), sicher
       *[no] { $age } ({ $low }–{ $high }), unsicher
    }
explain-kind =
    { $kind ->
        [same] so, wie es ist
        [closer] { $amount } % näher
        [wider] { $amount } % weiter
        [shifted] um { $amount } % verschoben
        [tilted] um { $amount }° geneigt
        [darker] { $amount } % weniger Licht
        [brighter] { $amount } % mehr Licht
       *[blurred] über { $amount } Pixel verwischt
    }
explain-tips =
    { $sure ->
        [yes] Die kleinste Änderung, die mich unsicher machen würde: { $change }.
       *[no] Die kleinste Änderung, die mich sicher machen würde: { $change }.
    }
explain-tips-not =
    { $sure ->
        [yes] Keine der { $tried } kleinen Änderungen, die ich probiert habe, macht mich unsicher.
       *[no] Keine der { $tried } kleinen Änderungen, die ich probiert habe, macht mich sicher.
    }
explain-note = Das zeigt, wo das Bild für das Netz zählte, nicht, warum jemand so alt aussieht.
thousands-separator = .
decimal-mark = ,
list-separator = { ", " }

## Problems

problem-no-photo = Ich sehe da kein Bild. Häng ein Foto an oder nutz den Befehl als Antwort auf eines.
problem-no-profile-picture = Diese Person hat kein Profilbild. Bitte wähl stattdessen eine Nachricht mit einem Foto.
problem-platform-limit = Die Datei ist zu groß: Bots dürfen hier nur Dateien bis { $limit } abrufen. Schick sie als Foto statt als Datei oder in einer kleineren Version.
problem-too-large = Die Datei ist zu groß: Ich nehme Fotos bis { $limit }. Bitte schick eine kleinere Version.
problem-too-many-pixels = Das Bild ist zu groß: { $width }×{ $height } Pixel, und ich nehme höchstens { $limit } Megapixel. Bitte schick eine kleinere Version.
problem-too-much-work = Diese Datei zu lesen dauert viel länger als bei einem Foto üblich. Bitte speichere sie noch einmal als JPEG, oder schick einen Screenshot davon.
problem-gone = Die Datei ist nicht mehr da. Bitte schick das Foto noch einmal.
problem-foreign-host = Ich rufe nur Fotos ab, die hier hochgeladen wurden. Bitte häng das Foto an.
problem-download = Ich konnte das Foto nicht abrufen. Bitte schick es gleich noch einmal.
problem-empty = Die Datei ist leer. Bitte schick das Foto noch einmal.
problem-not-a-picture = Das ist kein Bild, sondern etwas anderes ({ $what }). Bitte schick ein Foto: JPEG, PNG, WebP oder GIF.
problem-unsupported = Das Bild hat das Format { $format }, das ich noch nicht lesen kann. Bitte schick es als JPEG, PNG, WebP oder GIF; ein Screenshot tut es auch.
problem-truncated = Das Bild ist unvollständig: Das Hochladen brach vor dem Ende ab. Bitte schick es noch einmal.
problem-damaged = Das Bild (Format { $format }) ist beschädigt und lässt sich nicht lesen. Bitte speichere es noch einmal oder schick ein anderes.
problem-unreadable = Ich kann die Datei nicht öffnen: { $reason }.
problem-overloaded = Ich bin gerade mit anderen Fotos beschäftigt. Bitte versuch es gleich noch einmal.
problem-expired = Das hat zu lange gedauert, deshalb habe ich aufgegeben. Bitte versuch es noch einmal, vielleicht mit einem kleineren Bild.
problem-stopped = Ich werde gerade neu gestartet. Bitte schick es in einer Minute noch einmal.
problem-failed = Bei diesem Bild ist bei mir etwas schiefgegangen. Bitte versuch es mit einem anderen.
problem-interrupted = Ich wurde unterbrochen, bevor ich auf dieses Foto antworten konnte, und jetzt ist es zu spät. Bitte schick es noch einmal.
problem-cannot-write = Ich habe dein Foto gesehen, darf in dem Chat aber nicht schreiben. Bitte dort einen Admin, mir das Senden von Nachrichten zu erlauben, oder schick mir das Foto hier.
problem-opted-out = Wer dieses Foto gepostet hat, möchte nicht, dass ich mir seine Fotos ansehe.
problem-no-such-face =
    { $count ->
        [one] Auf diesem Foto ist nur ein Gesicht.
       *[other] Auf diesem Foto sind { $count } Gesichter: Wähle eine Nummer von 1 bis { $count }.
    }
problem-too-often =
    { $seconds ->
        [one] Das sind viele Fotos auf einmal. Komm bitte in einer Sekunde wieder.
       *[other] Das sind viele Fotos auf einmal. Komm bitte in { $seconds } Sekunden wieder.
    }

## Help and privacy

help =
    Hallo! Schick mir ein Foto von einem Gesicht, und ich schätze, wie alt die Person aussieht und ob es ein Mann oder eine Frau ist, und sage dir, wie sicher ich mir bin.

    { $how }

    Für eine gute Schätzung: ein Gesicht, zur Kamera gewandt, gut beleuchtet, mit etwas Platz ringsum.

    Ich bin ein kleines neuronales Netz, das sich 128×128 graue Pixel ansieht und mit Zehntausenden von Gesichtern trainiert wurde: Ich schätze, wie jemand aussieht, und weiß nichts über die Person selbst. Was mit deinem Foto passiert, steht unter /privacy.
how-discord = Schick mir ein Foto als Direktnachricht, erwähne mich mit einem Foto (oder als Antwort auf eines), nutz /guess oder wähl „Alter schätzen“ unter „Apps“ im Menü einer Nachricht oder einer Person. Mit „App hinzufügen“ in meinem Profil gehen die letzten beiden überall, und nur du siehst die Antwort. Für Admins: Mit /auto antworte ich auf jedes Foto in einem Kanal, /settings zeigt den Rest.
how-telegram = Hier schickst du mir einfach ein Foto. In einer Gruppe schick es mit der Bildunterschrift /guess oder antworte mit /guess auf eines. Für Admins: Mit /auto on antworte ich auf jedes Foto einer Gruppe, /settings zeigt den Rest.
how-matrix = Schick mir hier einfach ein Foto. In einem Raum mit anderen antworte mit !age auf eines oder schick es mit der Bildunterschrift !age; eine Erwähnung von mir tut dasselbe. !age explain zeigt, wie ich ein Gesicht sehe. Für die Moderation: Mit !age auto on beantworte ich jedes Foto, !age settings zeigt den Rest.
how-guest = Wo ich kein Mitglied bin, erwähne mich in der Bildunterschrift eines Fotos oder in einer Antwort auf eines.
privacy-mode = Telegram zeigt mir Fotos in Gruppen nur, wenn ein Befehl dabei ist. Damit /auto funktioniert, mach mich zum Admin dieser Gruppe oder schalte meinen Privatsphäre-Modus bei @BotFather aus (/setprivacy) und füg mich noch einmal hinzu.
business-declined = Du hast mich mit deinem Geschäftskonto verbunden. Dafür bin ich nicht gemacht: Was deine Kundschaft dort schreibt, lese und beantworte ich nicht. Trennen kannst du mich in den Einstellungen von Telegram unter Business. Deine eigenen Fotos sind hier willkommen.
matrix-encrypted = Dieser Raum ist verschlüsselt, und verschlüsselte Nachrichten kann ich nicht lesen. Erstelle bitte einen Raum mit ausgeschalteter Verschlüsselung, lade mich dorthin ein und schick mir dein Foto.
privacy =
    Dein Foto wird im Arbeitsspeicher des Computers, auf dem ich laufe, ausgewertet und dann vergessen: Es wird nicht gespeichert, nicht zum Training verwendet und an niemanden weitergegeben. Wo ich kein Mitglied bin, sehe ich nur, was du mir zeigst: die Nachricht, die mich erwähnt, und die, auf die sie antwortet, oder das, worauf du meinen Befehl anwendest.

    Was ich speichere: die Einstellungen eines Chats (Sprache, automatische Antworten, Geschlecht, Lächeln), deine eigenen (Sprache, Geschlecht, /optout) und die Punkte im Spiel mit den Namen derer, die mitspielen. Bis ich geantwortet habe, merke ich mir, wo dein Foto zu finden ist, damit es bei einem Neustart nicht verloren geht. /forget löscht, was ich über dich gespeichert habe; schreibt ein Admin /forget in einer Gruppe, lösche ich auch, was ich über die Gruppe gespeichert habe. Das Protokoll auf meinem Rechner enthält keine Bilder, Namen, Nachrichten oder IDs, nur IDs, die mit einem Geheimnis unkenntlich gemacht sind, das bei jedem Start wechselt. Die Plattform, auf der du schreibst, hat ihre eigenen Regeln.
forgotten-person = Erledigt: Ich habe nichts mehr über dich gespeichert.
forgotten-chat = Erledigt: Ich habe nichts mehr über dich oder diesen Chat gespeichert.
opted-out = Erledigt: Ab jetzt ignoriere ich deine Fotos hier, egal wer fragt. /optin macht das rückgängig.
opted-in = Erledigt: Ich sehe mir deine Fotos wieder an, wenn mich jemand darum bittet.

## Settings

settings = Einstellungen dieses Chats. Drück drauf, um sie zu ändern:
settings-typed = Einstellungen dieses Raums. Der Befehl am Anfang einer Zeile ändert sie:
settings-auto =
    { $on ->
        [yes] Automatische Antworten: an
       *[no] Automatische Antworten: aus
    }
settings-private =
    { $on ->
        [yes] Antworten: nur für die Person, die gefragt hat
       *[no] Antworten: für alle sichtbar
    }
settings-gender =
    { $gender ->
        [never] Geschlecht: nie nennen
        [sure] Geschlecht: nur wenn ich sicher bin
       *[always] Geschlecht: nennen
    }
settings-smile =
    { $smile ->
        [never] Lächeln: nie erwähnen
       *[sure] Lächeln: nur wenn ich sicher bin
    }
settings-language = Sprache: { $language }
settings-language-client = Sprache: für alle die eigene
auto-on = Ab jetzt antworte ich auf jedes Foto in diesem Chat. /auto off beendet das.
auto-off = Ich antworte hier nur noch auf Fotos, wenn mich jemand darum bittet.
auto-direct = Wenn wir beide allein schreiben, antworte ich ohnehin auf jedes Foto.
auto-state =
    { $on ->
        [yes] Automatische Antworten sind in diesem Chat an. /auto off schaltet sie aus.
       *[no] Automatische Antworten sind in diesem Chat aus. /auto on schaltet sie an.
    }
auto-unseen = Discord zeigt mir Fotos hier nur, wenn ich erwähnt werde. Für /auto muss mir die Person, die mich betreibt, den „message content intent“ erlauben (discord.message_content in meiner Konfiguration).
private-start = In dieser Gruppe antworte ich nur dir, im privaten Chat. Bitte öffne einen mit mir, drück Start und frag dann noch einmal.
admin-cannot-write = In „{ $chat }“ hat mich jemand nach einem Foto gefragt, aber ich darf dort nicht schreiben. Bitte erlaube mir, dort Nachrichten zu senden, oder schalte die automatischen Antworten aus. Ich sage das höchstens einmal am Tag.
admins-only = Das kann nur ein Admin dieses Chats ändern.
language-set = Ab jetzt spreche ich { $language }.
language-unknown = Diese Sprache spreche ich noch nicht. Ich spreche: { $languages }.
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

game = Wie alt ist diese Person? Drück auf deine Schätzung; nur die erste zählt. Wer das Spiel gestartet hat, deckt meine auf.
game-players =
    { $count ->
        [0] Noch hat niemand geschätzt.
        [one] Bisher eine Schätzung.
       *[other] Bisher { $count } Schätzungen.
    }
game-reveal = Auflösen
game-taken = Deine Schätzung: { $age }.
game-already-guessed = Du hast schon geschätzt: { $age }.
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
command-auto = Auf jedes Foto in diesem Chat antworten oder damit aufhören (Admins)
command-settings = Zeigen und ändern, wie ich mich in diesem Chat verhalte
command-language = Die Sprache wählen, die ich mit dir spreche
command-gender = Ob ich dein Geschlecht schätze: immer, wenn sicher oder nie
command-optout = Meine Fotos ignorieren
command-optin = Meine Fotos wieder ansehen
command-forget = Löschen, was über mich gespeichert ist
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
