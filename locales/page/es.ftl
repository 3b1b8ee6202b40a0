# The chat page and the page about the program. Texts of the explanation are in the folder learn.

## Every page

site-skip = Ir al contenido
site-pages = Páginas
site-chat = Chat
site-how = Cómo funciona
site-about = Acerca de
site-language = Idioma:
site-private-here = Las fotos se quedan en este equipo y no se guardan.
site-private-server = Tu foto se envía a este servidor, se analiza en su memoria y no se guarda.

## The chat

chat-title = Chat
chat-description = Adivina qué edad aparentan las personas de una foto y dice lo seguro que está.
chat-hello = ¡Hola! Envíame la foto de una cara, o varias. Adivino qué edad aparenta la persona y si es hombre o mujer, y te digo lo seguro que estoy.
chat-noscript = Esta página necesita JavaScript para enviar tu foto.
chat-conversation = Conversación
chat-send = Enviar fotos
chat-choose = Elegir fotos
chat-camera = Cámara
chat-clear = Borrar
chat-hint = o suéltalas o pégalas en cualquier parte de esta página
chat-drop = Suelta aquí tus fotos
chat-camera-title = Mira a la cámara
chat-camera-preview = Vista previa de la cámara
chat-camera-hint = Ponte de cara a la luz, con los ojos y la boca al descubierto.
chat-cancel = Cancelar
chat-take-photo = Hacer la foto

# Words of the chat's script: one line each, no variants.
chat-script-you = Tú
chat-script-your-photo = Tu foto { $name }
chat-script-analysing = Analizando…
chat-script-photo = Foto { $number }
chat-script-picture = Tu foto con un recuadro alrededor de cada cara
chat-script-numbers = Números
chat-script-age = Edad: { $age }, probablemente de { $low } a { $high }
chat-script-age-untold = Edad: cualquiera entre { $low } y { $high }
chat-script-female = Mujer: { $percent } % de probabilidad
chat-script-male = Hombre: { $percent } % de probabilidad
chat-script-sure = Estoy seguro
chat-script-unsure = No estoy seguro
chat-script-share = Compartir la imagen
chat-script-retry = Reintentar
chat-script-offline = No consigo llegar al servidor. ¿Sigue en marcha el programa? Inténtalo de nuevo.
chat-script-failed = Algo ha salido mal. Inténtalo de nuevo.
chat-script-no-files = Solo puedo aceptar archivos de imagen. Guarda primero la imagen y suelta después el archivo aquí.
chat-script-camera-wait = Esperando a la cámara…
chat-script-camera-blocked = Tu navegador bloquea la cámara en esta página. Permítela en la barra de direcciones o elige una foto.
chat-script-camera-missing = No he encontrado ninguna cámara. Puedes elegir una foto.

## Uploads that are refused

upload-not-a-form = Envía la propia foto con su tipo, por ejemplo image/jpeg, o un formulario con un solo campo de archivo llamado «photo».
upload-not-a-number = El campo «face» espera el número de una cara, contando desde 1.
upload-unknown-action = El parámetro «action» espera la acción de un botón de una respuesta anterior a esta foto.
upload-several-photos = Envía las fotos de una en una.
upload-too-many-photos = Envía como máximo diez fotos a la vez.
upload-interrupted = La subida se ha interrumpido. Envía la foto otra vez.
upload-timed-out = La subida ha tardado demasiado. Inténtalo de nuevo.
key-needed = Esta página y su API necesitan una clave: es la contraseña que pide el navegador, y los programas la envían como «Authorization: Bearer …» o «X-Api-Key: …».

## About

about-title = Acerca de FaceGuesser
about-description = Qué pasa con las fotos, lo precisas que son las estimaciones y para qué no sirven.
about-lead = FaceGuesser adivina qué edad aparenta una cara, y si parece de mujer o de hombre. Una pequeña red neuronal mira 128×128 píxeles grises de cada cara y no sabe nada más de la persona.
about-privacy = Privacidad
about-privacy-photo = Una foto está en memoria solo mientras se responde. No se escribe en ningún disco, no se usa para entrenar y no se envía a nadie más. El registro cuenta fotos y bytes; no contiene imágenes, nombres ni direcciones.
about-privacy-browser = Esta página no carga nada de otros sitios ni usa cookies. Si eliges un idioma, tu navegador lo recuerda.
about-accuracy = Precisión
about-accuracy-summary = En { $faces } caras que no se usaron para entrenar, la edad estimada se desvía de media { $age } años y el género es correcto en el { $gender } %. El intervalo entre paréntesis contiene la edad real en el { $coverage } % de ellas.
about-by-age = Precisión según la edad real
about-by-group = Precisión según las etiquetas del conjunto de datos
about-age = Edad
about-group = Grupo
about-faces = Caras
about-age-error = Error medio de edad, años
about-gender-right = Género correcto
about-ages = La edad de los niños es la más fácil de adivinar. A partir de los cuarenta, las estimaciones se desvían unos siete años; a los mayores casi siempre les echo de menos. Antes de los cuatro años, el género apenas se acierta mejor que a cara o cruz, así que no lo digo.
about-groups = Los grupos se llaman como en el conjunto de datos UTKFace, cuyas etiquetas estimaron personas y máquinas. Los errores difieren porque las caras tienen edades distintas y porque algunos grupos son raros en los datos de entrenamiento.
about-group-female = Etiquetadas como mujer
about-group-male = Etiquetadas como hombre
about-group-white = Blancas
about-group-black = Negras
about-group-asian = Asiáticas
about-group-indian = Indias
about-group-others = Otras
about-limits = Límites
about-limits-looks = Adivina apariencias, no hechos. En una de cada cinco caras, la edad real queda fuera del intervalo entre paréntesis.
about-limits-labels = Los datos de entrenamiento solo conocen «mujer» y «hombre».
about-limits-children = De bebés y niños pequeños no se dice el género, y a veces toma a adolescentes por adultos.
about-limits-photo = Una cara pequeña, oscura, borrosa o girada dice poco. Lo que más ayuda es una foto más cercana con luz uniforme.
about-limits-decisions = No lo uses para tomar decisiones sobre personas: ni controles de edad, ni identificación, ni moderación.
about-terms = Condiciones
about-terms-code = El código es software libre, con licencia MIT o Apache 2.0, a tu elección.
about-terms-weights = Las redes conservan las condiciones de sus datos de entrenamiento: UTKFace se ofrece para investigación no comercial y FairFace tiene licencia CC BY 4.0; también se usaron All-Age-Faces, Images of Groups, GENKI-4K y fotografías de grupos etiquetadas. Úsalas en consecuencia.
