# The chat page and the page about the program. Texts of the explanation are in the folder learn.

## Every page

site-skip = Перейти до вмісту
site-pages = Сторінки
site-chat = Чат
site-how = Як це працює
site-about = Про програму
site-language = Мова:
site-private-here = Фото залишаються на цьому комп’ютері й не зберігаються.
site-private-server = Твоє фото надсилається на цей сервер, аналізується в його пам’яті й не зберігається.

## The chat

chat-title = Чат
chat-description = Вгадує, на скільки років виглядають люди на фото, і каже, наскільки певна відповідь.
chat-hello = Привіт! Надішли мені фото обличчя або кілька. Я вгадаю, на скільки років виглядає людина й чоловік це чи жінка, і скажу, наскільки я впевнений.
chat-noscript = Щоб надіслати фото, цій сторінці потрібен JavaScript.
chat-conversation = Розмова
chat-send = Надіслати фото
chat-choose = Вибрати фото
chat-camera = Камера
chat-clear = Очистити
chat-hint = або перетягни чи встав їх будь-де на цій сторінці
chat-drop = Перетягни свої фото сюди
chat-camera-title = Подивися в камеру
chat-camera-preview = Зображення з камери
chat-camera-hint = Повернися до світла, не закривай очі й рот.
chat-cancel = Скасувати
chat-take-photo = Зробити фото

# Words of the chat's script: one line each, no variants.
chat-script-you = Ти
chat-script-your-photo = Твоє фото { $name }
chat-script-analysing = Дивлюся…
chat-script-photo = Фото { $number }
chat-script-picture = Твоє фото з рамкою навколо кожного обличчя
chat-script-numbers = Числа
chat-script-age = Вік: { $age }, імовірно від { $low } до { $high }
chat-script-age-untold = Вік: будь-який від { $low } до { $high }
chat-script-female = Жінка: імовірність { $percent } %
chat-script-male = Чоловік: імовірність { $percent } %
chat-script-sure = Я впевнений
chat-script-unsure = Я не впевнений
chat-script-share = Поділитися зображенням
chat-script-retry = Спробувати ще раз
chat-script-offline = Не можу зв’язатися із сервером. Програма ще працює? Спробуй ще раз.
chat-script-failed = Щось пішло не так. Спробуй ще раз.
chat-script-no-files = Я можу прийняти лише файли зображень. Спершу збережи зображення, а потім перетягни файл сюди.
chat-script-camera-wait = Чекаю на камеру…
chat-script-camera-blocked = Браузер блокує камеру на цій сторінці. Дозволь її в рядку адреси або вибери фото.
chat-script-camera-missing = Камери не знайдено. Натомість можна вибрати фото.

## Uploads that are refused

upload-not-a-form = Надішли саме фото з його типом, наприклад image/jpeg, або форму з одним файловим полем «photo».
upload-not-a-number = Поле «face» приймає номер обличчя, починаючи з 1.
upload-unknown-action = Параметр «action» приймає дію кнопки з попередньої відповіді на це фото.
upload-several-photos = Надсилай, будь ласка, по одному фото.
upload-too-many-photos = Надсилай, будь ласка, не більше десяти фото за раз.
upload-interrupted = Завантаження перервалося. Надішли фото ще раз.
upload-timed-out = Завантаження тривало надто довго. Спробуй ще раз.
key-needed = Ця сторінка та її API потребують ключа: це пароль, про який питає браузер, а програми надсилають його як «Authorization: Bearer …» або «X-Api-Key: …».

## About

about-title = Про програму
about-description = Що відбувається з фото, наскільки точні відповіді й для чого вони не призначені.
about-lead = FaceGuesser вгадує, на скільки років виглядає обличчя і чи схоже воно на жіноче чи чоловіче. Невелика нейронна мережа бачить 128×128 сірих пікселів кожного обличчя й більше нічого про людину не знає.
about-privacy = Приватність
about-privacy-photo = Фото є в пам’яті лише доти, доки готується відповідь. Воно не записується на диск, не використовується для навчання й нікому більше не надсилається. Журнал рахує фото й байти; у ньому немає зображень, імен чи адрес.
about-privacy-browser = Ця сторінка нічого не завантажує з інших сайтів і не використовує файлів cookie. Якщо вибрати мову, браузер її запам’ятає.
about-accuracy = Точність
about-accuracy-summary = На { $faces } обличчях, які не використовувалися для навчання, вгаданий вік відрізняється в середньому на { $age } року, а стать правильна для { $gender } %. Діапазон у дужках містить справжній вік для { $coverage } % із них.
about-by-age = Точність за справжнім віком
about-by-group = Точність за позначками набору даних
about-age = Вік
about-group = Група
about-faces = Облич
about-age-error = Середня похибка віку, роки
about-gender-right = Стать правильна
about-ages = Найлегше вгадати вік дітей. Від сорока років похибка становить близько семи років; найстаршим я здебільшого даю менше. До чотирьох років стать вгадується ледь краще, ніж підкиданням монети, тому я її не називаю.
about-groups = Групи названо так, як у наборі даних UTKFace, позначки якого визначали на око люди й машини. Похибки відрізняються, бо обличчя мають різний вік, а деякі групи рідко трапляються в даних для навчання.
about-group-female = Позначені як жінки
about-group-male = Позначені як чоловіки
about-group-white = Білі
about-group-black = Темношкірі
about-group-asian = Азійці
about-group-indian = Індійці
about-group-others = Інші
about-limits = Межі
about-limits-looks = Програма вгадує вигляд, а не факти. Для одного обличчя з п’яти справжній вік лежить поза діапазоном у дужках.
about-limits-labels = Дані для навчання знають лише «жінка» й «чоловік».
about-limits-children = Для немовлят і малих дітей стать не називається, а підлітків програма іноді вважає дорослими.
about-limits-photo = Мале, темне, розмите чи відвернуте обличчя мало що говорить. Найбільше допомагає ближче фото за рівного світла.
about-limits-decisions = Не ухвалюй на цій основі рішень про людей: жодних перевірок віку, ідентифікації чи модерації.
about-terms = Умови
about-terms-code = Код є вільним програмним забезпеченням за ліцензією MIT або Apache 2.0 на вибір.
about-terms-weights = На мережі поширюються умови їхніх навчальних даних: UTKFace призначено для некомерційних досліджень, FairFace має ліцензію CC BY 4.0; також використано All-Age-Faces, Images of Groups, GENKI-4K і розмічені групові фотографії. Користуйся ними відповідно.
