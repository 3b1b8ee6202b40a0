# The chat page and the page about the program. Texts of the explanation are in the folder learn.

## Every page

site-skip = Přejít k obsahu
site-pages = Stránky
site-chat = Chat
site-how = Jak to funguje
site-about = O programu
site-language = Jazyk:
site-private-here = Fotky zůstávají na tomto počítači a neukládají se.
site-private-server = Tvoje fotka se pošle na tento server, zpracuje se v jeho paměti a nezůstane tam.

## The chat

chat-title = Chat
chat-description = Odhaduje, na kolik let lidé na fotce vypadají, a říká, jak moc si je jistý.
chat-hello = Ahoj! Pošli mi fotku obličeje, klidně i několik. Odhadnu, na kolik let ten člověk vypadá a jestli je to muž, nebo žena, a řeknu ti, jak moc jsem si tím jistý.
chat-noscript = K odeslání fotky potřebuje tato stránka JavaScript.
chat-conversation = Konverzace
chat-send = Odeslat fotky
chat-choose = Vybrat fotky
chat-camera = Fotoaparát
chat-clear = Vymazat
chat-hint = nebo je kamkoli na tuto stránku přetáhni či vlož
chat-drop = Sem přetáhni své fotky
chat-camera-title = Podívej se do fotoaparátu
chat-camera-preview = Náhled fotoaparátu
chat-camera-hint = Otoč se ke světlu a nezakrývej si oči ani ústa.
chat-cancel = Zrušit
chat-take-photo = Vyfotit

# Words of the chat's script: one line each, no variants.
chat-script-you = Ty
chat-script-your-photo = Tvoje fotka { $name }
chat-script-analysing = Dívám se…
chat-script-photo = Fotka { $number }
chat-script-picture = Tvoje fotka s rámečkem kolem každého obličeje
chat-script-numbers = Čísla
chat-script-age = Věk: { $age }, pravděpodobně { $low } až { $high }
chat-script-age-untold = Věk: cokoli od { $low } do { $high }
chat-script-female = Žena: pravděpodobnost { $percent } %
chat-script-male = Muž: pravděpodobnost { $percent } %
chat-script-sure = Jsem si jistý
chat-script-unsure = Nejsem si jistý
chat-script-share = Sdílet obrázek
chat-script-retry = Zkusit znovu
chat-script-offline = Nemůžu se spojit se serverem. Běží program ještě? Zkus to prosím znovu.
chat-script-failed = Něco se pokazilo. Zkus to prosím znovu.
chat-script-no-files = Umím přijmout jen soubory s obrázky. Obrázek nejdřív ulož a pak sem přetáhni soubor.
chat-script-camera-wait = Čekám na fotoaparát…
chat-script-camera-blocked = Prohlížeč na této stránce fotoaparát blokuje. Povol ho v adresním řádku, nebo vyber fotku.
chat-script-camera-missing = Žádný fotoaparát jsem nenašel. Můžeš místo toho vybrat fotku.

## Uploads that are refused

upload-not-a-form = Pošli prosím samotnou fotku s jejím typem, třeba image/jpeg, nebo formulář s jedním souborovým polem „photo“.
upload-not-a-number = Pole „face“ čeká číslo obličeje, počítáno od 1.
upload-unknown-action = Parametr „action“ očekává akci tlačítka z dřívější odpovědi na tuto fotku.
upload-several-photos = Posílej prosím fotky po jedné.
upload-too-many-photos = Posílej prosím nejvýš deset fotek najednou.
upload-interrupted = Nahrávání se přerušilo. Pošli prosím fotku znovu.
upload-timed-out = Nahrávání trvalo příliš dlouho. Zkus to prosím znovu.
key-needed = Tato stránka i její API potřebují klíč: je to heslo, na které se ptá prohlížeč, a programy ho posílají jako „Authorization: Bearer …“ nebo „X-Api-Key: …“.

## About

about-title = O programu
about-description = Co se děje s fotkami, jak přesné jsou odhady a k čemu nejsou.
about-lead = FaceGuesser odhaduje, na kolik let obličej vypadá a jestli vypadá jako ženský, nebo mužský. Malá neuronová síť vidí z každého obličeje 128×128 šedých bodů a nic dalšího o člověku neví.
about-privacy = Soukromí
about-privacy-photo = Fotka je v paměti jen po dobu, kdy se na ni odpovídá. Nezapisuje se na disk, nepoužívá se k trénování a nikomu dalšímu se neposílá. Záznam počítá fotky a bajty; nejsou v něm obrázky, jména ani adresy.
about-privacy-browser = Tato stránka nenačítá nic odjinud a nepoužívá cookies. Když si vybereš jazyk, zapamatuje si ho tvůj prohlížeč.
about-accuracy = Přesnost
about-accuracy-summary = U { $faces } obličejů, které se nepoužily k trénování, se odhad věku liší v průměru o { $age } roku a pohlaví je správně u { $gender } %. Rozmezí v závorce obsahuje skutečný věk u { $coverage } % z nich.
about-by-age = Přesnost podle skutečného věku
about-by-group = Přesnost podle označení v datové sadě
about-age = Věk
about-group = Skupina
about-faces = Obličejů
about-age-error = Průměrná chyba věku, roky
about-gender-right = Pohlaví správně
about-ages = Nejsnáz se odhaduje věk dětí. Od čtyřiceti let se odhady liší asi o sedm let a nejstarším většinou hádám méně. Do čtyř let není odhad pohlaví o moc lepší než hod mincí, a tak ho neříkám.
about-groups = Skupiny se jmenují jako v datové sadě UTKFace, jejíž označení odhadli lidé a stroje. Chyby se liší, protože obličeje jsou různě staré a některé skupiny jsou v trénovacích datech vzácné.
about-group-female = Označené jako ženy
about-group-male = Označené jako muži
about-group-white = Běloši
about-group-black = Černoši
about-group-asian = Asiaté
about-group-indian = Indové
about-group-others = Ostatní
about-limits = Meze
about-limits-looks = Odhaduje vzhled, ne skutečnost. U jednoho obličeje z pěti leží skutečný věk mimo rozmezí v závorce.
about-limits-labels = Trénovací data znají jen „žena“ a „muž“.
about-limits-children = U miminek a malých dětí se pohlaví neříká a dospívající jsou někdy považováni za dospělé.
about-limits-photo = Malý, tmavý, rozmazaný nebo odvrácený obličej toho moc neprozradí. Nejvíc pomůže fotka zblízka při rovnoměrném světle.
about-limits-decisions = Nerozhoduj podle něj o lidech: žádné ověřování věku, žádná identifikace, žádné moderování.
about-terms = Podmínky
about-terms-code = Kód je svobodný software pod licencí MIT nebo Apache 2.0, podle vlastní volby.
about-terms-weights = Pro sítě platí podmínky jejich trénovacích dat: UTKFace je určen k nekomerčnímu výzkumu, FairFace má licenci CC BY 4.0; použity byly i All-Age-Faces, Images of Groups, GENKI-4K a označené skupinové fotografie. Používej je podle toho.
