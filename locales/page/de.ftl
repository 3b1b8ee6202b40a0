# The chat page and the page about the program. Texts of the explanation are in the folder learn.

## Every page

site-skip = Zum Inhalt springen
site-pages = Seiten
site-chat = Chat
site-how = So funktioniert es
site-about = Über
site-language = Sprache:
site-private-here = Fotos bleiben auf diesem Rechner und werden nicht gespeichert.
site-private-server = Dein Foto wird an diesen Server geschickt, in seinem Arbeitsspeicher ausgewertet und nicht behalten.

## The chat

chat-title = Chat
chat-description = Schätzt, wie alt die Menschen auf einem Foto aussehen, und sagt, wie sicher die Schätzung ist.
chat-hello = Hallo! Schick mir ein Foto von einem Gesicht oder gleich mehrere. Ich schätze, wie alt die Person aussieht und ob es ein Mann oder eine Frau ist, und sage dir, wie sicher ich mir bin.
chat-noscript = Diese Seite braucht JavaScript, um dein Foto zu senden.
chat-conversation = Unterhaltung
chat-send = Fotos senden
chat-choose = Fotos auswählen
chat-camera = Kamera
chat-clear = Leeren
chat-hint = oder irgendwo auf dieser Seite ablegen oder einfügen
chat-drop = Leg deine Fotos hier ab
chat-camera-title = Schau in die Kamera
chat-camera-preview = Kameravorschau
chat-camera-hint = Schau zum Licht und lass Augen und Mund frei.
chat-cancel = Abbrechen
chat-take-photo = Foto aufnehmen

# Words of the chat's script: one line each, no variants.
chat-script-you = Du
chat-script-your-photo = Dein Foto { $name }
chat-script-analysing = Ich schaue es mir an …
chat-script-photo = Foto { $number }
chat-script-picture = Dein Foto mit einem Rahmen um jedes Gesicht
chat-script-numbers = Zahlen
chat-script-age = Alter: { $age }, wahrscheinlich { $low } bis { $high }
chat-script-age-untold = Alter: irgendwo zwischen { $low } und { $high }
chat-script-female = Weiblich: zu { $percent } % wahrscheinlich
chat-script-male = Männlich: zu { $percent } % wahrscheinlich
chat-script-sure = Ich bin mir sicher
chat-script-unsure = Ich bin mir nicht sicher
chat-script-share = Bild teilen
chat-script-retry = Noch einmal versuchen
chat-script-offline = Ich erreiche den Server nicht. Läuft das Programm noch? Bitte versuch es noch einmal.
chat-script-failed = Da ist etwas schiefgegangen. Bitte versuch es noch einmal.
chat-script-no-files = Ich kann nur Bilddateien annehmen. Bitte speichere das Bild zuerst und zieh dann die Datei hierher.
chat-script-camera-wait = Warte auf die Kamera …
chat-script-camera-blocked = Dein Browser sperrt die Kamera auf dieser Seite. Erlaube sie in der Adresszeile oder wähl ein Foto aus.
chat-script-camera-missing = Ich finde keine Kamera. Du kannst stattdessen ein Foto auswählen.

## Uploads that are refused

upload-not-a-form = Bitte schick das Foto selbst mit seinem Typ, etwa image/jpeg, oder ein Formular mit einem Dateifeld namens „photo“.
upload-not-a-number = Das Feld „face“ erwartet die Nummer eines Gesichts, ab 1 gezählt.
upload-unknown-action = Der Parameter „action“ erwartet die Aktion einer Schaltfläche aus einer früheren Antwort zu diesem Foto.
upload-several-photos = Bitte schick ein Foto nach dem anderen.
upload-too-many-photos = Bitte schick höchstens zehn Fotos auf einmal.
upload-interrupted = Das Hochladen wurde unterbrochen. Bitte schick das Foto noch einmal.
upload-timed-out = Das Hochladen hat zu lange gedauert. Bitte versuch es noch einmal.
key-needed = Diese Seite und ihre API brauchen einen Schlüssel: Er ist das Passwort, nach dem der Browser fragt, und Programme senden ihn als „Authorization: Bearer …“ oder „X-Api-Key: …“.

## About

about-title = Über FaceGuesser
about-description = Was mit Fotos geschieht, wie genau die Schätzungen sind und wofür sie nicht taugen.
about-lead = FaceGuesser schätzt, wie alt ein Gesicht aussieht und ob es nach einer Frau oder einem Mann aussieht. Ein kleines neuronales Netz sieht von jedem Gesicht 128×128 graue Bildpunkte und weiß sonst nichts über die Person.
about-privacy = Datenschutz
about-privacy-photo = Ein Foto ist nur im Arbeitsspeicher, solange es beantwortet wird. Es wird nicht auf einen Datenträger geschrieben, nicht zum Training verwendet und an niemanden sonst geschickt. Das Protokoll zählt Fotos und Bytes; es enthält keine Bilder, Namen oder Adressen.
about-privacy-browser = Diese Seite lädt nichts von anderen Seiten und setzt keine Cookies. Wählst du eine Sprache, merkt sie sich dein Browser.
about-accuracy = Genauigkeit
about-accuracy-summary = Bei { $faces } Gesichtern, die nicht zum Training verwendet wurden, liegt das geschätzte Alter im Mittel um { $age } Jahre daneben, und das Geschlecht stimmt bei { $gender } %. Die Altersspanne in Klammern enthält bei { $coverage } % das wahre Alter.
about-by-age = Genauigkeit nach wahrem Alter
about-by-group = Genauigkeit nach den Bezeichnungen des Datensatzes
about-age = Alter
about-group = Gruppe
about-faces = Gesichter
about-age-error = Mittlerer Altersfehler, Jahre
about-gender-right = Geschlecht richtig
about-ages = Das Alter von Kindern lässt sich am leichtesten schätzen. Ab vierzig liegen die Schätzungen um etwa sieben Jahre daneben, bei den Ältesten meist zu jung. Unter vier Jahren ist das Geschlecht kaum besser als geraten, deshalb lasse ich es weg.
about-groups = Die Gruppen heißen wie im Datensatz UTKFace, dessen Angaben von Menschen und Maschinen geschätzt wurden. Die Fehler unterscheiden sich, weil die Gesichter verschieden alt sind und weil manche Gruppen in den Trainingsdaten selten sind.
about-group-female = Als weiblich bezeichnet
about-group-male = Als männlich bezeichnet
about-group-white = Weiß
about-group-black = Schwarz
about-group-asian = Asiatisch
about-group-indian = Indisch
about-group-others = Andere
about-limits = Grenzen
about-limits-looks = Geschätzt wird das Aussehen, nicht die Wirklichkeit. Bei einem von fünf Gesichtern liegt das wahre Alter außerhalb der Spanne in Klammern.
about-limits-labels = Die Trainingsdaten kennen nur „weiblich“ und „männlich“.
about-limits-children = Bei Babys und Kleinkindern wird kein Geschlecht genannt, und Jugendliche werden manchmal für Erwachsene gehalten.
about-limits-photo = Ein kleines, dunkles, unscharfes oder abgewandtes Gesicht verrät wenig. Am meisten hilft ein näheres Foto bei gleichmäßigem Licht.
about-limits-decisions = Triff damit keine Entscheidungen über Menschen: keine Alterskontrollen, keine Identifizierung, keine Moderation.
about-terms = Bedingungen
about-terms-code = Der Code ist freie Software, nach Wahl unter MIT oder Apache 2.0.
about-terms-weights = Für die Netze gelten die Bedingungen ihrer Trainingsdaten: UTKFace ist für nichtkommerzielle Forschung bestimmt, FairFace steht unter CC BY 4.0; verwendet wurden auch All-Age-Faces, Images of Groups, GENKI-4K und beschriftete Gruppenfotos. Nutze sie entsprechend.
