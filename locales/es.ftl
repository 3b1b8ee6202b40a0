# The bot's messages. A test checks that every language has the same messages with the same variables.
#
# Lengths that platforms allow: a button 80 characters, a command's description 100, an alert 200.

## Guesses

# One face. $who is one of the values below; $age, $low and $high are whole years, and $age is at least 2 except for a baby.
person =
    { $who ->
        [baby] un bebé (probablemente de { $low } a { $high } años)
        [toddler] una criatura de unos { $age } años (probablemente entre { $low } y { $high })
        [child] un niño o una niña de unos { $age } años (probablemente entre { $low } y { $high })
        [young-person] una persona joven de unos { $age } años (probablemente entre { $low } y { $high })
        [girl] una niña de unos { $age } años (probablemente entre { $low } y { $high })
        [boy] un niño de unos { $age } años (probablemente entre { $low } y { $high })
        [woman] una mujer de unos { $age } años (probablemente entre { $low } y { $high })
        [man] un hombre de unos { $age } años (probablemente entre { $low } y { $high })
        [unclear] alguien de unos { $age } años (probablemente entre { $low } y { $high }), aunque no sabría decir si es hombre o mujer
       *[person] una persona de unos { $age } años (probablemente entre { $low } y { $high })
    }
person-of-any-age =
    { $who ->
        [woman] una mujer de cualquier edad entre { $low } y { $high } años
        [man] un hombre de cualquier edad entre { $low } y { $high } años
       *[other] alguien de cualquier edad entre { $low } y { $high } años
    }
person-smiling =
    { $who ->
        [unclear] { $person }; está sonriendo
       *[other] { $person }, sonriendo
    }
guess-sure = Parece { $person }.
guess-unsure =
    { $what ->
        [unknown-age] No sabría decir la edad: podría ser { $person }.
        [gender] No estoy seguro del sexo, pero diría que es { $person }.
        [both] No estoy seguro de la edad ni del sexo, pero diría que es { $person }.
       *[age] No estoy seguro de la edad, pero diría que es { $person }.
    }
guess-tip = Consejo: { $tips }
faces =
    Veo { $count } caras, numeradas { $order ->
        [down] de arriba abajo
       *[across] de izquierda a derecha
    }{ $ages ->
        [unsure] ; no estoy seguro de ninguna edad:
       *[some-sure] :
    }
face-sure = { $number }. { $person }
face-unsure =
    { $what ->
        [gender] { $number }. { $person } (sexo dudoso)
        [both] { $number }. { $person } (edad y sexo dudosos)
       *[age] { $number }. { $person } (edad dudosa)
    }
faces-more = … y { $count } más.
photo-number = Foto { $number }: { $text }
photo-waiting = sigo mirando…
no-face = No encuentro ninguna cara en esta imagen. Consejo: envía una foto en la que una cara mire a la cámara, bien iluminada y al menos tan grande como una miniatura; recortar más cerca suele ayudar.
rotated-left = La foto está de lado; la he girado a la izquierda para mirarla.
rotated-right = La foto está de lado; la he girado a la derecha para mirarla.
rotated-upside-down = La foto está boca abajo; le he dado la vuelta para mirarla.
picture-cut-short = La imagen está incompleta; solo pude mirar la parte que hay.
guess-anyway = No encontré ninguna cara, así que solo adivino a partir del cuadrado del centro: { $person }. Tómatelo con reservas.
guess-crop = Con el recorte sugerido: { $text }
crop-offered = Con un recorte más cercano estoy más seguro: pulsa el botón de abajo.
alternative-text = La foto con un recuadro alrededor de cada cara; { $faces }.
alternative-text-face = recuadro { $number }: { $person }
alternative-text-crop = El cuadrado sugerido, recortado de la foto: { $text }
alternative-text-inside = Dos partes. La cara en color y como 128×128 píxeles grises, con la primera fila de números. Nueve píxeles, pesos y productos de un filtro: { $sum } Los ocho filtros que más responden, con sus mapas, y lo que más le gusta a un canal más profundo.
alternative-text-outcome = Tres partes. Mapas sobre la cara: los votos por { $age } años, y cómo cambia la estimación donde la cara está tapada. { $regions } Un gráfico de lo probable que es cada edad, con el máximo en { $peak }; la mitad queda por debajo de { $age }. La cara en cinco encuadres, con estimaciones de { $guesses } años.

## What would help

tip-too-small = La cara tiene muy pocos píxeles: acércate o envía la foto en su tamaño original.
tip-cut-off = Parte de la cara queda fuera de la imagen: deja algo de espacio alrededor.
tip-covered = Parte de la cara está tapada: que no haya nada delante, ni manos, ni pelo, ni mascarilla, ni gafas oscuras.
tip-turned = La cara está girada: mira de frente a la cámara.
tip-dark = A la cara le falta luz: ponte mirando a una ventana o a una lámpara.
tip-one-sided = La luz viene de un lado y deja media cara a oscuras: gírate hacia ella.
tip-bright = La cara está sobreexpuesta: evita la luz dura y el flash.
tip-blurred = La cara está borrosa: sujeta bien la cámara o envía el original en vez de una copia.
tip-noisy = La imagen tiene mucho grano: hazla con más luz o envía el original en vez de una copia.
good-photo =
    { $what ->
        [gender] La foto es buena: en esta cara simplemente no se distingue bien el sexo, y otra foto apenas ayudaría.
       *[age] La foto es buena: esta cara simplemente aparenta varias edades, y otra foto apenas ayudaría.
    }
faces-help = Lo que ayudaría: { $help }.
faces-good-photo =
    { $what ->
        [gender] La foto es buena: en las caras con las que dudo simplemente no se distingue bien el sexo.
        [both] La foto es buena: las caras con las que dudo simplemente aparentan varias edades o cualquiera de los dos sexos.
       *[age] La foto es buena: las caras con las que dudo simplemente aparentan varias edades.
    }
help-for-faces = { $help } ({ $numbers })
help-too-small = acercarse, o la foto en su tamaño original
help-cut-off = algo de espacio alrededor de la cara
help-covered = nada delante de la cara
help-turned = mirar de frente a la cámara
help-dark = más luz en la cara
help-one-sided = luz de frente
help-bright = una luz más suave
help-blurred = una imagen más nítida
help-noisy = una imagen con menos grano

## How I see a face

seen = Esto es todo lo que miro: 128×128 píxeles grises. Las tarjetas muestran lo que hago con ellos. Calculo { $age }; en cuatro de cada cinco caras, la edad está entre { $low } y { $high }.
seen-gender = De cada 100 caras como esta, diría que { $female } son de mujer.
explain-title = Así veo esta cara
explain-numbers = De la foto a los números
explain-photo = La foto: { $width } × { $height } píxeles × 3 colores = { $colours } números; en gris { $greys }.
explain-crop = Todo lo que recibo: 128 × 128 píxeles grises = { $numbers } números.
explain-first-row = Su primera fila en números: 0 es negro, 255 es blanco.
explain-filter = Un filtro en acción
explain-inputs = nueve píxeles
explain-weights = por el filtro
explain-products = nueve productos
explain-sum = Los productos suman { $sum }. Más { $bias }, y nada por debajo de cero, da { $output } en el mapa del filtro.
explain-strongest = Los ocho filtros que más responden a esta cara, cada uno con su mapa:
explain-deep = Lo que más le gusta al canal { $channel } de { $channels }, más adentro (las caras de las que aprendí no se pueden mostrar):
explain-deep-here = en esta cara
explain-deep-mean = en la media de muchas caras
explain-deep-fired = dónde responde aquí
explain-voted = Quién votó, y dónde
explain-age-votes = votos por { $age } años; con { $bias } para toda cara suman { $logit }
explain-gender-votes = votos por femenino o en contra; con { $bias } para toda cara suman { $logit }
explain-covered = tapada aquí, diría hasta { $older } años más o { $younger } años menos
explain-regions = Con una parte de la cara tapada, mi estimación cambia en (años): { $regions }.
explain-region =
    { $region ->
        [forehead] frente { $years }
        [eyes] ojos { $years }
        [nose] nariz { $years }
        [mouth] boca { $years }
       *[chin] barbilla { $years }
    }
explain-negative = en contra · más joven
explain-positive = a favor · mayor
explain-shaky =
    { $map ->
        [votes] El mapa de votos es inestable aquí: cambia si la cara se mueve un píxel.
        [covered] El mapa de zonas tapadas es inestable aquí: cambia si la cara se mueve un píxel.
       *[both] Los dos mapas son inestables aquí: cambian si la cara se mueve un píxel.
    }
explain-vote = La votación
explain-axis-age = edad en años
explain-axis-probability = probabilidad en %
explain-median = { $age } años: la mitad de la probabilidad queda a la izquierda
explain-range = de { $low } a { $high } años: ahí está la edad real de cuatro de cada cinco caras
explain-change = Un pequeño cambio
explain-framing =
    { $sure ->
        [yes] { $age } ({ $low }–{ $high }), seguro
       *[no] { $age } ({ $low }–{ $high }), inseguro
    }
explain-kind =
    { $kind ->
        [same] tal cual
        [closer] { $amount } % más cerca
        [wider] { $amount } % más lejos
        [shifted] movida un { $amount } %
        [tilted] inclinada { $amount }°
        [darker] { $amount } % menos de luz
        [brighter] { $amount } % más de luz
       *[blurred] borrosa en { $amount } píxeles
    }
explain-tips =
    { $sure ->
        [yes] El menor cambio que me haría dudar: { $change }.
       *[no] El menor cambio que me daría seguridad: { $change }.
    }
explain-tips-not =
    { $sure ->
        [yes] Ninguno de los { $tried } pequeños cambios que probé me hace dudar.
       *[no] Ninguno de los { $tried } pequeños cambios que probé me da seguridad.
    }
explain-note = Esto muestra dónde importó la imagen para la red, no por qué alguien aparenta su edad.
thousands-separator = .
decimal-mark = ,
list-separator = { ", " }

## Problems

problem-no-photo = No veo ninguna imagen ahí. Adjunta una foto o usa el comando respondiendo a una.
problem-no-profile-picture = Esa persona no tiene foto de perfil. Elige mejor un mensaje con una foto, por favor.
problem-platform-limit = Ese archivo es demasiado grande: aquí los bots solo pueden descargar archivos de hasta { $limit }. Envíalo como foto en vez de como archivo, o en una versión más pequeña.
problem-too-large = Ese archivo es demasiado grande: acepto fotos de hasta { $limit }. Envía una versión más pequeña, por favor.
problem-too-many-pixels = Esa imagen es demasiado grande: tiene { $width }×{ $height } píxeles y acepto hasta { $limit } megapíxeles. Envía una versión más pequeña, por favor.
problem-too-much-work = Leer ese archivo lleva mucho más tiempo que leer una foto. Guárdalo otra vez como JPEG o envía una captura de pantalla, por favor.
problem-gone = Ese archivo ya no está. Envía la foto otra vez, por favor.
problem-foreign-host = Solo descargo fotos subidas aquí. Adjunta la foto, por favor.
problem-download = No pude descargar esa foto. Envíala otra vez dentro de un momento, por favor.
problem-empty = Ese archivo está vacío. Envía la foto otra vez, por favor.
problem-not-a-picture = Eso no es una imagen, sino otra cosa ({ $what }). Envía una foto, por favor: JPEG, PNG, WebP o GIF.
problem-unsupported = Esa imagen está en formato { $format }, que todavía no sé leer. Envíala como JPEG, PNG, WebP o GIF, por favor; una captura de pantalla también sirve.
problem-truncated = Esa imagen está incompleta: la subida se cortó antes de terminar. Envíala otra vez, por favor.
problem-damaged = Esa imagen en formato { $format } está dañada y no se puede leer. Guárdala de nuevo o envía otra, por favor.
problem-unreadable = No puedo abrir ese archivo: { $reason }.
problem-overloaded = Ahora mismo tengo muchas otras fotos que mirar. Vuelve a intentarlo en un momento, por favor.
problem-expired = Tardaba demasiado y lo dejé. Vuelve a intentarlo, por favor, quizá con una imagen más pequeña.
problem-stopped = Me estoy reiniciando. Envíala otra vez dentro de un minuto, por favor.
problem-failed = Algo falló por mi parte con esta imagen. Prueba con otra, por favor.
problem-interrupted = Me interrumpieron antes de poder responder a esta foto y ya es demasiado tarde. Envíala otra vez, por favor.
problem-cannot-write = He visto tu foto, pero no tengo permiso para escribir en ese chat. Pide a un administrador que me deje enviar mensajes o envíame la foto aquí.
problem-opted-out = La persona que publicó esa foto me ha pedido que no mire sus fotos.
problem-no-such-face =
    { $count ->
        [one] Esa foto solo tiene una cara.
       *[other] Esa foto tiene { $count } caras: elige un número del 1 al { $count }.
    }
problem-too-often =
    { $seconds ->
        [one] Son muchas fotos. Vuelve dentro de un segundo, por favor.
       *[other] Son muchas fotos. Vuelve dentro de { $seconds } segundos, por favor.
    }

## Help and privacy

help =
    ¡Hola! Envíame la foto de una cara y adivino qué edad aparenta la persona y si es hombre o mujer, y te digo lo seguro que estoy.

    { $how }

    Para acertar más: una sola cara, mirando a la cámara, bien iluminada y con un poco de espacio alrededor.

    Soy una pequeña red neuronal que mira 128×128 píxeles grises y se entrenó con decenas de miles de caras: adivino por el aspecto y no sé nada de la persona en sí. /privacy cuenta qué pasa con tu foto.
how-discord = Envíame una foto por mensaje directo, mencióname con una foto (o respondiendo a una), usa /guess o elige «Adivinar la edad» en el menú de un mensaje o de una persona, en Aplicaciones. Con «Añadir aplicación» en mi perfil, las dos últimas funcionan en todas partes y solo tú ves la respuesta. Admins: /auto responde a todas las fotos de un canal, /settings muestra lo demás.
how-telegram = Aquí basta con enviarme una foto. En un grupo, envíala con el texto /guess o responde /guess a una. Admins: /auto on responde a todas las fotos de un grupo, /settings muestra lo demás.
how-matrix = Aquí, envíame simplemente una foto. En una sala con más gente, responde !age a una foto o envíala con el pie !age; mencionarme hace lo mismo. !age explain muestra cómo veo una cara. Moderadores: con !age auto on respondo a todas las fotos; !age settings muestra lo demás.
how-guest = Donde no soy miembro, mencióname en el texto de una foto o respondiendo a una.
privacy-mode = Telegram no me muestra las fotos de los grupos si no llevan un comando. Para usar /auto, hazme admin de este grupo, o desactiva mi modo de privacidad con @BotFather (/setprivacy) y vuelve a añadirme.
business-declined = Me has conectado a tu cuenta de empresa. No estoy hecho para eso: no leo ni respondo lo que escriben allí tus clientes, y puedes desconectarme en los ajustes de Telegram, en la sección de empresas. Tus propias fotos son bienvenidas aquí.
matrix-encrypted = Esta sala está cifrada y no puedo leer mensajes cifrados. Crea una sala con el cifrado desactivado, invítame y envíame allí tu foto.
privacy =
    Tu foto se analiza en la memoria del equipo en el que funciono y luego se olvida: no se guarda, no se usa para entrenar y no se envía a nadie. Donde no soy miembro solo veo lo que me enseñas: el mensaje que me menciona y aquel al que responde, o aquello sobre lo que usas mi comando.

    Lo que guardo: los ajustes de un chat (idioma, respuestas automáticas, género, sonrisa), los tuyos (idioma, género, /optout) y los puntos del juego con el nombre de quienes juegan. Hasta que respondo, recuerdo dónde está tu foto, para que no se pierda si me reinician. /forget borra lo que guardo de ti; si un admin usa /forget en un grupo, borra también lo que guardo del grupo. El registro de mi equipo no contiene imágenes, nombres, mensajes ni identificadores, solo identificadores enmascarados con un secreto que cambia en cada arranque. La plataforma en la que escribes tiene sus propias reglas.
forgotten-person = Hecho: ya no guardo nada sobre ti.
forgotten-chat = Hecho: ya no guardo nada sobre ti ni sobre este chat.
opted-out = Hecho: desde ahora ignoro tus fotos aquí, pregunte quien pregunte. /optin lo deshace.
opted-in = Hecho: vuelvo a mirar tus fotos cuando me lo pidan.

## Settings

settings = Ajustes de este chat. Pulsa para cambiarlos:
settings-typed = Ajustes de esta sala. Escribe la orden de una línea para cambiarla:
settings-auto =
    { $on ->
        [yes] Respuestas automáticas: sí
       *[no] Respuestas automáticas: no
    }
settings-private =
    { $on ->
        [yes] Respuestas: solo a quien pregunta
       *[no] Respuestas: a la vista de todos
    }
settings-gender =
    { $gender ->
        [never] Género: no decirlo
        [sure] Género: solo si estoy seguro
       *[always] Género: decirlo
    }
settings-smile =
    { $smile ->
        [never] Sonrisa: no mencionarla
       *[sure] Sonrisa: solo si estoy seguro
    }
settings-language = Idioma: { $language }
settings-language-client = Idioma: el de cada persona
auto-on = Desde ahora respondo a todas las fotos de este chat. /auto off lo desactiva.
auto-off = Aquí ya no respondo a las fotos a menos que alguien me lo pida.
auto-direct = En un chat a solas conmigo ya respondo a todas las fotos.
auto-state =
    { $on ->
        [yes] Las respuestas automáticas están activadas en este chat. /auto off las desactiva.
       *[no] Las respuestas automáticas están desactivadas en este chat. /auto on las activa.
    }
auto-unseen = Discord me oculta aquí las fotos si no me mencionan. Para /auto, quien me administra tiene que permitirme el «message content intent» (discord.message_content en mi configuración).
private-start = En este grupo respondo solo a quien pregunta, en un chat privado. Abre uno conmigo, por favor, pulsa Iniciar y vuelve a preguntar.
admin-cannot-write = Alguien me preguntó por una foto en «{ $chat }», pero no tengo permiso para escribir allí. Déjame enviar mensajes allí o desactiva las respuestas automáticas, por favor. Te lo digo como mucho una vez al día.
admins-only = Eso solo lo puede cambiar un admin de este chat.
language-set = Ahora hablo { $language }.
language-unknown = Ese idioma todavía no lo hablo. Hablo: { $languages }.
gender-set =
    { $gender ->
        [never] Ya no adivino tu género.
        [sure] Solo adivino tu género cuando estoy seguro.
       *[always] Vuelvo a adivinar tu género.
    }

## Buttons

button-see = ¿Cómo me ves?
button-crop = Probar el recorte sugerido
button-anyway = Adivinar de todos modos
button-delete = Borrar
not-yours = Eso solo lo puede hacer quien preguntó.
reply-deleted = (eliminado)
gone = Esa foto ya no está, así que no puedo volver a mirarla.

## The game

game = ¿Qué edad tiene esta persona? Pulsa tu respuesta; solo cuenta la primera. Quien empezó la partida descubre la mía.
game-players =
    { $count ->
        [0] Todavía no ha respondido nadie.
        [one] Una respuesta por ahora.
       *[other] { $count } respuestas por ahora.
    }
game-reveal = Descubrir
game-taken = Tu respuesta: { $age }.
game-already-guessed = Ya has respondido: { $age }.
game-host = Tú sabes la respuesta: deja que adivinen los demás.
game-over = Esta partida ha terminado.
game-unsure = Para el juego necesito una foto con una sola cara bien visible.
game-mine = Mi respuesta: { $person }.
game-truth = La edad real: { $age }.
game-winner =
    { $count ->
        [one] Más cerca: { $names }, con { $age }. ¡Un punto!
       *[other] Más cerca: { $names }, con { $age }. ¡Un punto para cada uno!
    }
game-nobody = Esta vez no ha respondido nadie.
game-beaten = ¡Y más cerca que yo!
scores = Puntos en este chat:
score = { $place }. { $name }: { $points }
scores-none = Aquí nadie tiene puntos todavía. /game con una foto empieza una partida.

## Commands, as the platforms' menus show them

command-guess = Adivinar qué edad aparentan las personas de una foto
command-guess-photo = Una foto con una cara, o con varias
command-game = Adivina primero la edad y luego mira mi respuesta
command-game-age = La edad real, que se descubre al final
command-scores = Quién adivina mejor en este chat
command-auto = Responder a todas las fotos de este chat, o dejar de hacerlo (admins)
command-settings = Ver y cambiar cómo me comporto en este chat
command-language = Elegir en qué idioma hablo contigo
command-gender = Si adivino tu género: siempre, solo si estoy seguro o nunca
command-optout = Ignorar mis fotos
command-optin = Volver a mirar mis fotos
command-forget = Borrar lo que está guardado sobre mí
command-privacy = Qué pasa con tu foto
command-help = Qué sé hacer y cómo sacar una buena foto

# Names of the commands in Discord's menus: lower case, no spaces, at most 32 characters, all different.
name-guess = adivinar
name-game = juego
name-scores = puntos
name-auto = automático
name-settings = ajustes
name-language = idioma
name-gender = género
name-optout = excluirme
name-optin = incluirme
name-forget = olvidarme
name-privacy = privacidad
name-help = ayuda
# In the menu of a message; at most 32 characters, spaces and capitals allowed.
name-guess-age = Adivinar la edad
