# The bot's messages. A test checks that every language has the same messages with the same variables.
#
# Lengths that platforms allow: a button 80 characters, a command's description 100, an alert 200.

## Guesses

# One face. $who is one of the values below; $age, $low and $high are whole years, and $age is at least 2 except for a baby.
person =
    { $who ->
        [baby] miminko (věk nejspíš { $low } až { $high })
        [toddler] batole kolem { $age } let (nejspíš { $low } až { $high })
        [child] dítě kolem { $age } let (nejspíš { $low } až { $high })
        [young-person] mladý člověk kolem { $age } let (nejspíš { $low } až { $high })
        [girl] dívka kolem { $age } let (nejspíš { $low } až { $high })
        [boy] chlapec kolem { $age } let (nejspíš { $low } až { $high })
        [woman] žena kolem { $age } let (nejspíš { $low } až { $high })
        [man] muž kolem { $age } let (nejspíš { $low } až { $high })
        [unclear] člověk kolem { $age } let (nejspíš { $low } až { $high }), ale jestli muž, nebo žena, to nepoznám
       *[person] člověk kolem { $age } let (nejspíš { $low } až { $high })
    }
person-of-any-age =
    { $who ->
        [woman] žena ve věku od { $low } do { $high } let
        [man] muž ve věku od { $low } do { $high } let
       *[other] někdo ve věku od { $low } do { $high } let
    }
person-smiling =
    { $who ->
        [unclear] { $person }; usmívá se
       *[other] { $person }, s úsměvem
    }
guess-sure = Podle mě je to { $person }.
guess-unsure =
    { $what ->
        [unknown-age] Věk nepoznám: může to být { $person }.
        [gender] Pohlavím si nejsem jistý, ale můj odhad je { $person }.
        [both] Věkem ani pohlavím si nejsem jistý, ale můj odhad je { $person }.
       *[age] Věkem si nejsem jistý, ale můj odhad je { $person }.
    }
guess-tip = Tip: { $tips }
faces =
    { $count ->
        [one] Vidím { $count } obličej
        [few] Vidím { $count } obličeje
        [many] Vidím { $count } obličeje
       *[other] Vidím { $count } obličejů
    }, { $order ->
        [down] číslováno shora dolů
       *[across] číslováno zleva doprava
    }{ $ages ->
        [unsure] ; u nikoho si nejsem jistý věkem:
       *[some-sure] :
    }
face-sure = { $number }. { $person }
face-unsure =
    { $what ->
        [gender] { $number }. { $person } (pohlaví nejisté)
        [both] { $number }. { $person } (věk i pohlaví nejisté)
       *[age] { $number }. { $person } (věk nejistý)
    }
faces-more = … a ještě { $count }.
photo-number = Fotka { $number }: { $text }
photo-waiting = ještě se dívám…
no-face = Na tomhle obrázku nenacházím obličej. Tip: pošli fotku, na které je jeden obličej otočený k fotoaparátu, dobře osvětlený a velký aspoň jako malý náhled; často pomůže těsnější výřez.
rotated-left = Fotka je na boku; prohlédl jsem si ji otočenou doleva.
rotated-right = Fotka je na boku; prohlédl jsem si ji otočenou doprava.
rotated-upside-down = Fotka je vzhůru nohama; prohlédl jsem si ji otočenou.
picture-cut-short = Obrázek není celý; mohl jsem se podívat jen na jeho část.
guess-anyway = Obličej jsem nenašel, takže jen hádám podle čtverce uprostřed: { $person }. Ber to s rezervou.
guess-crop = S navrženým výřezem: { $text }
crop-offered = S těsnějším výřezem jsem si jistější: stiskni tlačítko níže.
alternative-text = Fotka s rámečkem kolem každého obličeje; { $faces }.
alternative-text-face = rámeček { $number }: { $person }
alternative-text-crop = Navržený čtverec vyříznutý z fotky: { $text }
alternative-text-inside = Dvě části. Obličej barevně a jako 128×128 šedých pixelů s prvním řádkem čísel. Devět pixelů, vah a součinů jednoho filtru: { $sum } Osm filtrů, které reagují nejvíc, s jejich mapami a to, co má nejradši jeden hlubší kanál.
alternative-text-outcome = Tři části. Mapy přes obličej: hlasy pro věk { $age } a jak se odhad změní tam, kde je obličej zakrytý. { $regions } Graf, jak pravděpodobný je každý věk, nejvyšší u { $peak }; polovina leží pod { $age }. Obličej v pěti výřezech s odhady věku { $guesses }.

## What would help

tip-too-small = Obličej má velmi málo pixelů: jdi blíž, nebo pošli fotku v původní velikosti.
tip-cut-off = Část obličeje je mimo obrázek: nech kolem něj trochu místa.
tip-covered = Část obličeje je zakrytá: ať před ním nic není, ruce, vlasy, rouška ani tmavé brýle.
tip-turned = Obličej je odvrácený: dívej se přímo do fotoaparátu.
tip-dark = Na obličeji je příliš málo světla: natoč se k oknu nebo k lampě.
tip-one-sided = Světlo jde z jedné strany a polovina obličeje je ve tmě: natoč se k němu.
tip-bright = Obličej je přesvětlený: vyhni se ostrému světlu a blesku.
tip-blurred = Obličej je rozmazaný: drž fotoaparát v klidu, nebo pošli originál místo kopie.
tip-noisy = Obrázek je zrnitý: foť při lepším světle, nebo pošli originál místo kopie.
good-photo =
    { $what ->
        [gender] Fotka je dobrá: podle tohohle obličeje se pohlaví prostě nedá dobře poznat a jiná fotka sotva pomůže.
       *[age] Fotka je dobrá: tomuhle obličeji by se prostě dal hádat různý věk a jiná fotka sotva pomůže.
    }
faces-help = Co by pomohlo: { $help }.
faces-good-photo =
    { $what ->
        [gender] Fotka je dobrá: u koho si nejsem jistý, u toho se pohlaví prostě nedá dobře poznat.
        [both] Fotka je dobrá: u koho si nejsem jistý, tomu by se prostě dal hádat různý věk nebo obojí pohlaví.
       *[age] Fotka je dobrá: u koho si nejsem jistý, tomu by se prostě dal hádat různý věk.
    }
help-for-faces = { $help } ({ $numbers })
help-too-small = jít blíž, nebo fotka v původní velikosti
help-cut-off = trochu místa kolem obličeje
help-covered = nic před obličejem
help-turned = pohled přímo do fotoaparátu
help-dark = víc světla na obličeji
help-one-sided = světlo zepředu
help-bright = měkčí světlo
help-blurred = ostřejší obrázek
help-noisy = méně zrnitý obrázek

## How I see a face

seen = Na nic jiného se nedívám: 128×128 šedých pixelů. Karty ukazují, co si z nich vezmu. Můj odhad je { $age }; u čtyř obličejů z pěti leží věk mezi { $low } a { $high }.
seen-gender = Ze 100 obličejů, jako je tenhle, bych jich { $female } označil za ženské.
explain-title = Jak vidím tenhle obličej
explain-numbers = Od fotky k číslům
explain-photo = Fotka: { $width } × { $height } pixelů × 3 barvy = { $colours } čísel; v šedé { $greys }.
explain-crop = Všechno, co dostanu: 128 × 128 šedých pixelů = { $numbers } čísel.
explain-first-row = První řádek jako čísla: 0 je černá, 255 bílá.
explain-filter = Filtr při práci
explain-inputs = devět pixelů
explain-weights = krát filtr
explain-products = devět součinů
explain-sum = Součiny dají dohromady { $sum }. Když přičteme { $bias } a nic nenecháme pod nulou, v mapě filtru bude { $output }.
explain-strongest = Osm filtrů, které na tenhle obličej reagují nejvíc, každý se svou mapou:
explain-deep = Co má nejraději kanál { $channel } z { $channels }, hlouběji uvnitř (obličeje, z nichž jsem se učil, se ukazovat nesmějí):
explain-deep-here = v tomhle obličeji
explain-deep-mean = v průměru mnoha obličejů
explain-deep-fired = kde reaguje tady
explain-voted = Kdo hlasoval a kde
explain-age-votes = hlasy pro věk { $age }; spolu s { $bias } pro každý obličej dají { $logit }
explain-gender-votes = hlasy pro ženu nebo proti; spolu s { $bias } pro každý obličej dají { $logit }
explain-covered = se zakrytím tady bych hádal až o { $older } roku víc nebo o { $younger } roku míň
explain-regions = Když je část obličeje zakrytá, můj odhad se změní o (roky): { $regions }.
explain-region =
    { $region ->
        [forehead] čelo { $years }
        [eyes] oči { $years }
        [nose] nos { $years }
        [mouth] ústa { $years }
       *[chin] brada { $years }
    }
explain-negative = proti · mladší
explain-positive = pro · starší
explain-shaky =
    { $map ->
        [votes] Mapa hlasů je tady vratká: změní se, když se obličej posune o jeden pixel.
        [covered] Mapa zakrytých míst je tady vratká: změní se, když se obličej posune o jeden pixel.
       *[both] Obě mapy jsou tady vratké: změní se, když se obličej posune o jeden pixel.
    }
explain-vote = Hlasování
explain-axis-age = věk v letech
explain-axis-probability = pravděpodobnost v %
explain-median = věk { $age }: vlevo leží polovina pravděpodobnosti
explain-range = věk { $low } až { $high }: tady leží skutečný věk čtyř obličejů z pěti
explain-change = Malá změna
explain-framing =
    { $sure ->
        [yes] { $age } ({ $low }–{ $high }), jistě
       *[no] { $age } ({ $low }–{ $high }), nejistě
    }
explain-kind =
    { $kind ->
        [same] tak, jak je
        [closer] o { $amount } % blíž
        [wider] o { $amount } % dál
        [shifted] posunutý o { $amount } %
        [tilted] nakloněný o { $amount }°
        [darker] o { $amount } % méně světla
        [brighter] o { $amount } % více světla
       *[blurred] rozmazaný přes { $amount } pixelu
    }
explain-tips =
    { $sure ->
        [yes] Nejmenší změna, po které bych si nebyl jistý: { $change }.
       *[no] Nejmenší změna, po které bych si byl jistý: { $change }.
    }
explain-tips-not =
    { $sure ->
        [yes] Počet malých změn, které jsem zkusil: { $tried }. Po žádné nepřestanu být jistý.
       *[no] Počet malých změn, které jsem zkusil: { $tried }. Po žádné si nejsem jistý.
    }
explain-note = Tohle ukazuje, kde na obrázku síti záleželo, ne proč někdo na svůj věk vypadá.
thousands-separator = { "\u00A0" }
decimal-mark = ,
list-separator = { ", " }

## Problems

problem-no-photo = Nevidím tu žádný obrázek. Přilož fotku, nebo příkazem na nějakou odpověz.
problem-no-profile-picture = Ten člověk nemá profilový obrázek. Vyber prosím místo toho zprávu s fotkou.
problem-platform-limit = Ten soubor je moc velký: boti tu smějí stahovat soubory nejvýš do { $limit }. Pošli ho jako fotku místo souboru, nebo pošli menší verzi.
problem-too-large = Ten soubor je moc velký: beru fotky do { $limit }. Pošli prosím menší verzi.
problem-too-many-pixels = Ten obrázek je moc velký: { $width }×{ $height } pixelů, a já beru nejvýš { $limit } megapixelů. Pošli prosím menší verzi.
problem-too-much-work = Tenhle soubor se čte mnohem déle než fotka. Ulož ho prosím znovu jako JPEG, nebo pošli jeho snímek obrazovky.
problem-gone = Ten soubor už tam není. Pošli prosím fotku znovu.
problem-foreign-host = Stahuji jen fotky, které byly nahrány tady. Přilož prosím fotku.
problem-download = Tu fotku se mi nepodařilo stáhnout. Pošli ji prosím za chvilku znovu.
problem-empty = Ten soubor je prázdný. Pošli prosím fotku znovu.
problem-not-a-picture = To není obrázek, ale něco jiného ({ $what }). Pošli prosím fotku: JPEG, PNG, WebP nebo GIF.
problem-unsupported = Obrázek je ve formátu { $format }, který zatím číst neumím. Pošli ho prosím jako JPEG, PNG, WebP nebo GIF; stačí i snímek obrazovky.
problem-truncated = Ten obrázek není celý: nahrávání skončilo předčasně. Pošli ho prosím znovu.
problem-damaged = Ten obrázek ve formátu { $format } je poškozený a nejde přečíst. Ulož ho prosím znovu, nebo pošli jiný.
problem-unreadable = Ten soubor nemůžu otevřít: { $reason }.
problem-overloaded = Zrovna mám plno práce s jinými fotkami. Zkus to prosím za chvilku.
problem-expired = Trvalo to moc dlouho, tak jsem to vzdal. Zkus to prosím znovu, třeba s menším obrázkem.
problem-stopped = Zrovna se restartuji. Pošli mi to prosím za minutku znovu.
problem-failed = S tímhle obrázkem se u mě něco pokazilo. Zkus prosím jiný.
problem-interrupted = Byl jsem přerušen, než jsem stihl na tuto fotku odpovědět, a teď už je pozdě. Pošli ji prosím znovu.
problem-cannot-write = Tvou fotku jsem viděl, ale v tom chatu nesmím psát. Popros správce, ať mi povolí posílat zprávy, nebo mi fotku pošli sem.
problem-opted-out = Kdo tuhle fotku poslal, ten si nepřeje, abych se na jeho fotky díval.
problem-no-such-face =
    { $count ->
        [one] Na té fotce je jen jeden obličej.
       *[other] Počet obličejů na té fotce: { $count }. Vyber číslo od 1 do { $count }.
    }
problem-too-often =
    { $seconds ->
        [one] To je spousta fotek. Zkus to prosím za sekundu.
        [few] To je spousta fotek. Zkus to prosím za { $seconds } sekundy.
        [many] To je spousta fotek. Zkus to prosím za { $seconds } sekundy.
       *[other] To je spousta fotek. Zkus to prosím za { $seconds } sekund.
    }

## Help and privacy

help =
    Ahoj! Pošli mi fotku obličeje a já odhadnu, na kolik let ten člověk vypadá a jestli je to muž, nebo žena, a řeknu ti, jak moc jsem si tím jistý.

    { $how }

    Aby se odhad povedl: jeden obličej, otočený k fotoaparátu, dobře osvětlený a s trochou místa kolem.

    Jsem malá neuronová síť, která se dívá na 128×128 šedých pixelů a trénovala se na desítkách tisíc obličejů: odhaduji, jak kdo vypadá, ne jaký doopravdy je. Co se stane s tvou fotkou, řekne /privacy.
how-discord = Pošli mi fotku do soukromé zprávy, zmiň mě u fotky (nebo v odpovědi na ni), použij /guess, nebo vyber „Odhadnout věk“ v nabídce zprávy nebo člověka pod položkou Aplikace. Když si mě v mém profilu přidáš („Přidat aplikaci“), fungují ty poslední dvě možnosti všude a odpověď vidíš jen ty. Správci: s /auto odpovídám na každou fotku v kanálu, /settings ukáže zbytek.
how-telegram = Tady mi fotku prostě pošli. Ve skupině ji pošli s popiskem /guess, nebo na nějakou odpověz /guess. Správci: s /auto on odpovídám na každou fotku ve skupině, /settings ukáže zbytek.
how-matrix = Tady mi prostě pošli fotku. V místnosti s ostatními na nějakou odpověz !age, nebo ji pošli s popiskem !age; totéž udělá zmínka o mně. !age explain ukáže, jak vidím obličej. Moderátoři: po !age auto on odpovídám na každou fotku, !age settings ukáže zbytek.
how-guest = Kde nejsem členem, tam mě zmiň v popisku fotky nebo v odpovědi na fotku.
privacy-mode = Telegram přede mnou fotky ve skupinách skrývá, pokud u nich není příkaz. Aby fungovalo /auto, udělej ze mě správce téhle skupiny, nebo můj režim soukromí vypni u @BotFather (/setprivacy) a přidej mě znovu.
business-declined = Jsem teď připojený k tvému firemnímu účtu, ale na to nejsem: co tam zákazníci píšou, nečtu a neodpovídám na to. Odpojit mě můžeš v nastavení Telegramu v části pro firmy. Tvoje vlastní fotky jsou tu vítané.
matrix-encrypted = Tahle místnost je šifrovaná a šifrované zprávy číst neumím. Vytvoř prosím místnost s vypnutým šifrováním, pozvi mě do ní a pošli mi fotku tam.
privacy =
    Tvou fotku zpracuji v paměti počítače, na kterém běžím, a pak ji zapomenu: neukládá se, netrénuje se na ní a nikomu se neposílá. Kde nejsem členem, vidím jen to, co mi ukážeš: zprávu, která mě zmiňuje, a tu, na kterou odpovídá, nebo to, na co použiješ můj příkaz.

    Co si ukládám: nastavení chatu (jazyk, automatické odpovědi, pohlaví, úsměv), tvoje nastavení (jazyk, pohlaví, /optout) a body ze hry se jmény těch, kdo hrají. Dokud neodpovím, pamatuji si, kde tvou fotku najdu, aby se při restartu neztratila. /forget smaže, co mám uložené o tobě; pošle-li /forget ve skupině správce, smaže se i to, co mám uložené o skupině. Protokol na mém počítači neobsahuje obrázky, jména, zprávy ani identifikátory, jen identifikátory znečitelněné tajným klíčem, který se mění při každém spuštění. Platforma, na které píšeš, má vlastní pravidla.
forgotten-person = Hotovo: už o tobě nemám nic uloženého.
forgotten-chat = Hotovo: už nemám nic uloženého o tobě ani o tomhle chatu.
opted-out = Hotovo: od teď tu tvoje fotky ignoruji, ať se ptá kdokoli. /optin to zruší.
opted-in = Hotovo: když mě někdo požádá, zase se na tvoje fotky podívám.

## Settings

settings = Nastavení tohoto chatu. Stisknutím změníš:
settings-typed = Nastavení této místnosti. Změníš ho příkazem na začátku řádku:
settings-auto =
    { $on ->
        [yes] Automatické odpovědi: zapnuto
       *[no] Automatické odpovědi: vypnuto
    }
settings-private =
    { $on ->
        [yes] Odpovědi: jen tomu, kdo se zeptal
       *[no] Odpovědi: všem
    }
settings-gender =
    { $gender ->
        [never] Pohlaví: neříkat
        [sure] Pohlaví: jen když si jsem jistý
       *[always] Pohlaví: říkat
    }
settings-smile =
    { $smile ->
        [never] Úsměv: neříkat
       *[sure] Úsměv: jen když si jsem jistý
    }
settings-language = Jazyk: { $language }
settings-language-client = Jazyk: každému ten jeho
auto-on = Od teď odpovídám na každou fotku v tomhle chatu. /auto off to vypne.
auto-off = Na fotky tu už odpovím, jen když mě o to někdo požádá.
auto-direct = Když si píšeme jen my dva, odpovídám na každou fotku tak jako tak.
auto-state =
    { $on ->
        [yes] Automatické odpovědi jsou v tomhle chatu zapnuté. /auto off je vypne.
       *[no] Automatické odpovědi jsou v tomhle chatu vypnuté. /auto on je zapne.
    }
auto-unseen = Discord mi tu fotky ukazuje jen tehdy, když mě někdo zmíní. Aby /auto fungovalo, musí mi ten, kdo mě provozuje, povolit „message content intent“ (discord.message_content v mém nastavení).
private-start = V této skupině odpovídám jen tomu, kdo se ptá, v soukromém chatu. Otevři si ho prosím se mnou, stiskni Start a pak se zeptej znovu.
admin-cannot-write = V chatu „{ $chat }“ se mě někdo ptal na fotku, ale nesmím tam psát. Povol mi tam prosím posílat zprávy, nebo vypni automatické odpovědi. Upozorním na to nejvýš jednou denně.
admins-only = To může změnit jen správce tohoto chatu.
language-set = Můj jazyk je teď { $language }.
language-unknown = Tenhle jazyk zatím neumím. Umím: { $languages }.
gender-set =
    { $gender ->
        [never] Tvoje pohlaví už odhadovat nebudu.
        [sure] Tvoje pohlaví odhadnu, jen když si jím budu jistý.
       *[always] Tvoje pohlaví zase odhaduji.
    }

## Buttons

button-see = Jak mě vidíš?
button-crop = Zkusit navržený výřez
button-anyway = Přesto hádat
button-delete = Smazat
not-yours = To může udělat jen ten, kdo se ptal.
reply-deleted = (smazáno)
gone = Ta fotka už tu není, takže se na ni nemůžu podívat znovu.

## The game

game = Kolik je tomuhle člověku let? Stiskni svůj tip; platí jen ten první. Můj odhad odkryje ten, kdo hru spustil.
game-players =
    { $count ->
        [0] Zatím nikdo netipoval.
        [one] Zatím jeden tip.
        [few] Zatím { $count } tipy.
        [many] Zatím { $count } tipu.
       *[other] Zatím { $count } tipů.
    }
game-reveal = Odkrýt
game-taken = Tvůj tip: { $age }.
game-already-guessed = Tvůj tip už mám: { $age }.
game-host = Ty odpověď znáš: nech hádat ostatní.
game-over = Tahle hra už skončila.
game-unsure = Ke hře potřebuji fotku s jedním zřetelným obličejem.
game-mine = Můj odhad: { $person }.
game-truth = Skutečný věk: { $age }.
game-winner =
    { $count ->
        [one] Nejblíž: { $names } s tipem { $age }. Bod!
        [few] Nejblíž: { $names } s tipem { $age }. Každému bod!
        [many] Nejblíž: { $names } s tipem { $age }. Každému bod!
       *[other] Nejblíž: { $names } s tipem { $age }. Každému bod!
    }
game-nobody = Tentokrát nikdo netipoval.
game-beaten = A blíž než já!
scores = Skóre v tomhle chatu:
score = { $place }. { $name }: { $points }
scores-none = Zatím tu nikdo nemá body. Hru spustíš příkazem /game u fotky.

## Commands, as the platforms' menus show them

command-guess = Odhadnout, na kolik let vypadají lidé na fotce
command-guess-photo = Fotka s jedním obličejem, nebo s více
command-game = Tipněte si věk nejdřív sami, pak uvidíte můj odhad
command-game-age = Skutečný věk, odkryje se na konci
command-scores = Kdo v tomhle chatu hádá nejlíp
command-auto = Odpovídat na každou fotku v tomhle chatu, nebo přestat (správci)
command-settings = Ukázat a změnit, jak se v tomhle chatu chovám
command-language = Vybrat jazyk, kterým s tebou mluvím
command-gender = Jestli odhaduji tvoje pohlaví: vždy, s jistotou, nebo nikdy
command-optout = Ignorovat moje fotky
command-optin = Zase se dívat na moje fotky
command-forget = Smazat, co je o mně uložené
command-privacy = Co se stane s tvou fotkou
command-help = Co umím a jak udělat dobrou fotku

# Names of the commands in Discord's menus: lower case, no spaces, at most 32 characters, all different.
name-guess = odhad
name-game = hra
name-scores = skóre
name-auto = automaticky
name-settings = nastavení
name-language = jazyk
name-gender = pohlaví
name-optout = ignorovat
name-optin = neignorovat
name-forget = zapomenout
name-privacy = soukromí
name-help = nápověda
# In the menu of a message; at most 32 characters, spaces and capitals allowed.
name-guess-age = Odhadnout věk
