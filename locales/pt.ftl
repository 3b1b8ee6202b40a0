# The bot's messages. A test checks that every language has the same messages with the same variables.
#
# Lengths that platforms allow: a button 80 characters, a command's description 100, an alert 200.

## Guesses

# One face. $who is one of the values below; $age, $low and $high are whole years, and $age is at least 2 except for a baby.
person =
    { $who ->
        [baby] um bebê (provavelmente de { $low } a { $high } anos)
        [toddler] uma criança pequena de cerca de { $age } anos (provavelmente entre { $low } e { $high })
        [child] uma criança de cerca de { $age } anos (provavelmente entre { $low } e { $high })
        [young-person] uma pessoa jovem de cerca de { $age } anos (provavelmente entre { $low } e { $high })
        [girl] uma menina de cerca de { $age } anos (provavelmente entre { $low } e { $high })
        [boy] um menino de cerca de { $age } anos (provavelmente entre { $low } e { $high })
        [woman] uma mulher de cerca de { $age } anos (provavelmente entre { $low } e { $high })
        [man] um homem de cerca de { $age } anos (provavelmente entre { $low } e { $high })
        [unclear] alguém de cerca de { $age } anos (provavelmente entre { $low } e { $high }), embora eu não saiba dizer se é homem ou mulher
       *[person] uma pessoa de cerca de { $age } anos (provavelmente entre { $low } e { $high })
    }
person-of-any-age =
    { $who ->
        [woman] uma mulher de qualquer idade entre { $low } e { $high } anos
        [man] um homem de qualquer idade entre { $low } e { $high } anos
       *[other] alguém de qualquer idade entre { $low } e { $high } anos
    }
person-smiling =
    { $who ->
        [unclear] { $person }; está sorrindo
       *[other] { $person }, sorrindo
    }
guess-sure = Parece { $person }.
guess-unsure =
    { $what ->
        [unknown-age] Não consigo saber a idade: pode ser { $person }.
        [gender] Não tenho certeza do sexo, mas meu palpite é { $person }.
        [both] Não tenho certeza da idade nem do sexo, mas meu palpite é { $person }.
       *[age] Não tenho certeza da idade, mas meu palpite é { $person }.
    }
guess-tip = Dica: { $tips }
faces =
    Vejo { $count } rostos, numerados { $order ->
        [down] de cima para baixo
       *[across] da esquerda para a direita
    }{ $ages ->
        [unsure] ; não tenho certeza de nenhuma idade:
       *[some-sure] :
    }
face-sure = { $number }. { $person }
face-unsure =
    { $what ->
        [gender] { $number }. { $person } (sexo incerto)
        [both] { $number }. { $person } (idade e sexo incertos)
       *[age] { $number }. { $person } (idade incerta)
    }
faces-more = … e mais { $count }.
photo-number = Foto { $number }: { $text }
photo-waiting = ainda estou olhando…
no-face = Não encontro nenhum rosto nesta imagem. Dica: envie uma foto com um rosto voltado para a câmera, bem iluminado e pelo menos do tamanho de uma miniatura; recortar mais de perto costuma ajudar.
rotated-left = A foto está de lado; girei-a para a esquerda para olhar.
rotated-right = A foto está de lado; girei-a para a direita para olhar.
rotated-upside-down = A foto está de cabeça para baixo; virei-a para olhar.
picture-cut-short = A imagem está incompleta; só pude olhar a parte que existe.
guess-anyway = Não encontrei nenhum rosto, então isto é só um palpite a partir do quadrado do meio: { $person }. Não leve muito a sério.
guess-crop = Com o recorte sugerido: { $text }
crop-offered = Com um recorte mais próximo tenho mais certeza: toque no botão abaixo.
alternative-text = A foto com uma moldura em volta de cada rosto; { $faces }.
alternative-text-face = moldura { $number }: { $person }
alternative-text-crop = O quadrado sugerido, recortado da foto: { $text }
alternative-text-inside = Duas partes. O rosto em cores e como 128×128 pixels em tons de cinza, com a primeira linha de números. Nove pixels, pesos e produtos de um filtro: { $sum } Os oito filtros que mais respondem, com seus mapas, e o que um canal mais profundo prefere.
alternative-text-outcome = Três partes. Mapas sobre o rosto: os votos para { $age } anos, e como o palpite muda onde o rosto está coberto. { $regions } Um gráfico da probabilidade de cada idade, com o máximo em { $peak }; metade fica abaixo de { $age }. O rosto em cinco enquadramentos, com palpites de { $guesses } anos.

## What would help

tip-too-small = O rosto tem pouquíssimos pixels: chegue mais perto ou envie a foto no tamanho original.
tip-cut-off = Parte do rosto está fora da imagem: deixe um pouco de espaço em volta.
tip-covered = Parte do rosto está coberta: não deixe nada na frente, nem mãos e cabelo, nem máscara ou óculos escuros.
tip-turned = O rosto está virado para o lado: olhe direto para a câmera.
tip-dark = O rosto está com pouca luz: vire-se para uma janela ou uma lâmpada.
tip-one-sided = A luz vem de um lado e deixa metade do rosto no escuro: vire-se para ela.
tip-bright = O rosto está com luz demais: evite luz forte e flash.
tip-blurred = O rosto está desfocado: segure a câmera firme ou envie o original em vez de uma cópia.
tip-noisy = A imagem está granulada: tire a foto com mais luz ou envie o original em vez de uma cópia.
good-photo =
    { $what ->
        [gender] A foto está boa: neste rosto simplesmente não dá para distinguir bem o sexo, e outra foto pouco ajudaria.
       *[age] A foto está boa: este rosto simplesmente aparenta várias idades, e outra foto pouco ajudaria.
    }
faces-help = O que ajudaria: { $help }.
faces-good-photo =
    { $what ->
        [gender] A foto está boa: nos rostos em que tenho dúvida simplesmente não dá para distinguir bem o sexo.
        [both] A foto está boa: os rostos em que tenho dúvida simplesmente aparentam várias idades ou qualquer um dos sexos.
       *[age] A foto está boa: os rostos em que tenho dúvida simplesmente aparentam várias idades.
    }
help-for-faces = { $help } ({ $numbers })
help-too-small = chegar mais perto, ou a foto no tamanho original
help-cut-off = um pouco de espaço em volta do rosto
help-covered = nada na frente do rosto
help-turned = olhar direto para a câmera
help-dark = mais luz no rosto
help-one-sided = luz de frente
help-bright = uma luz mais suave
help-blurred = uma imagem mais nítida
help-noisy = uma imagem menos granulada

## How I see a face

seen = Isto é tudo o que eu olho: 128×128 pixels em tons de cinza. Os cartões mostram o que faço com eles. Meu palpite é { $age }; em quatro de cada cinco rostos, a idade fica entre { $low } e { $high }.
seen-gender = De cada 100 rostos como este, eu diria que { $female } são de mulheres.
explain-title = Como eu vejo este rosto
explain-numbers = Da foto aos números
explain-photo = A foto: { $width } × { $height } pixels × 3 cores = { $colours } números; em cinza { $greys }.
explain-crop = Tudo o que recebo: 128 × 128 pixels em cinza = { $numbers } números.
explain-first-row = A primeira linha em números: 0 é preto, 255 é branco.
explain-filter = Um filtro em ação
explain-inputs = nove pixels
explain-weights = vezes o filtro
explain-products = nove produtos
explain-sum = Os produtos somam { $sum }. Mais { $bias }, e nada abaixo de zero, dá { $output } no mapa do filtro.
explain-strongest = Os oito filtros que mais respondem a este rosto, cada um com seu mapa:
explain-deep = Do que o canal { $channel } de { $channels }, mais fundo na rede, mais gosta (os rostos com que aprendi não podem ser mostrados):
explain-deep-here = neste rosto
explain-deep-mean = na média de muitos rostos
explain-deep-fired = onde ele responde aqui
explain-voted = Quem votou, e onde
explain-age-votes = votos para { $age } anos; com { $bias } para todo rosto somam { $logit }
explain-gender-votes = votos para feminino ou contra; com { $bias } para todo rosto somam { $logit }
explain-covered = coberto aqui, eu diria até { $older } anos a mais ou { $younger } anos a menos
explain-regions = Com uma parte do rosto coberta, meu palpite muda em (anos): { $regions }.
explain-region =
    { $region ->
        [forehead] testa { $years }
        [eyes] olhos { $years }
        [nose] nariz { $years }
        [mouth] boca { $years }
       *[chin] queixo { $years }
    }
explain-negative = contra · mais novo
explain-positive = a favor · mais velho
explain-shaky =
    { $map ->
        [votes] O mapa de votos é instável aqui: muda quando o rosto se move um pixel.
        [covered] O mapa de partes cobertas é instável aqui: muda quando o rosto se move um pixel.
       *[both] Os dois mapas são instáveis aqui: mudam quando o rosto se move um pixel.
    }
explain-vote = A votação
explain-axis-age = idade em anos
explain-axis-probability = probabilidade em %
explain-median = { $age } anos: metade da probabilidade fica à esquerda
explain-range = de { $low } a { $high } anos: a idade real de quatro em cada cinco rostos
explain-change = Uma pequena mudança
explain-framing =
    { $sure ->
        [yes] { $age } ({ $low }–{ $high }), com certeza
       *[no] { $age } ({ $low }–{ $high }), sem certeza
    }
explain-kind =
    { $kind ->
        [same] como está
        [closer] { $amount } % mais perto
        [wider] { $amount } % mais longe
        [shifted] movido { $amount } %
        [tilted] inclinado { $amount }°
        [darker] { $amount } % menos luz
        [brighter] { $amount } % mais luz
       *[blurred] borrado em { $amount } pixels
    }
explain-tips =
    { $sure ->
        [yes] A menor mudança que me tiraria a certeza: { $change }.
       *[no] A menor mudança que me daria certeza: { $change }.
    }
explain-tips-not =
    { $sure ->
        [yes] Nenhuma das { $tried } pequenas mudanças que testei me tira a certeza.
       *[no] Nenhuma das { $tried } pequenas mudanças que testei me dá certeza.
    }
explain-note = Isto mostra onde a imagem importou para a rede, não por que alguém aparenta a idade que tem.
thousands-separator = .
decimal-mark = ,
list-separator = { ", " }

## Problems

problem-no-photo = Não vejo nenhuma imagem aí. Anexe uma foto ou use o comando em resposta a uma.
problem-no-profile-picture = Essa pessoa não tem foto de perfil. Escolha uma mensagem com foto, por favor.
problem-platform-limit = Esse arquivo é grande demais: aqui os bots só podem baixar arquivos de até { $limit }. Envie como foto em vez de arquivo, ou em uma versão menor.
problem-too-large = Esse arquivo é grande demais: aceito fotos de até { $limit }. Envie uma versão menor, por favor.
problem-too-many-pixels = Essa imagem é grande demais: tem { $width }×{ $height } pixels, e eu aceito até { $limit } megapixels. Envie uma versão menor, por favor.
problem-too-much-work = Esse arquivo demora muito mais para ler do que uma foto. Salve-o de novo como JPEG ou envie uma captura de tela, por favor.
problem-gone = Esse arquivo não está mais lá. Envie a foto de novo, por favor.
problem-foreign-host = Só baixo fotos enviadas aqui. Anexe a foto, por favor.
problem-download = Não consegui baixar essa foto. Envie de novo daqui a pouco, por favor.
problem-empty = Esse arquivo está vazio. Envie a foto de novo, por favor.
problem-not-a-picture = Isso não é uma imagem, é outra coisa ({ $what }). Envie uma foto, por favor: JPEG, PNG, WebP ou GIF.
problem-unsupported = Essa imagem está no formato { $format }, que ainda não sei ler. Envie como JPEG, PNG, WebP ou GIF, por favor; uma captura de tela também serve.
problem-truncated = Essa imagem está incompleta: o envio parou antes do fim. Envie de novo, por favor.
problem-damaged = Essa imagem no formato { $format } está danificada e não pode ser lida. Salve de novo ou envie outra, por favor.
problem-unreadable = Não consigo abrir esse arquivo: { $reason }.
problem-overloaded = Estou ocupado com outras fotos agora. Tente de novo daqui a pouco, por favor.
problem-expired = Demorou demais, então desisti. Tente de novo, por favor, talvez com uma imagem menor.
problem-stopped = Estou reiniciando. Envie de novo daqui a um minuto, por favor.
problem-failed = Algo deu errado do meu lado com esta imagem. Tente outra, por favor.
problem-interrupted = Fui interrompido antes de poder responder a esta foto e agora é tarde demais. Envie de novo, por favor.
problem-cannot-write = Vi a sua foto, mas não tenho permissão para escrever naquele chat. Peça a um administrador que me deixe enviar mensagens ou envie a foto aqui.
problem-opted-out = A pessoa que postou essa foto me pediu para não olhar as fotos dela.
problem-no-such-face =
    { $count ->
        [one] Essa foto tem só um rosto.
       *[other] Essa foto tem { $count } rostos: escolha um número de 1 a { $count }.
    }
problem-too-often =
    { $seconds ->
        [one] São muitas fotos. Volte daqui a um segundo, por favor.
       *[other] São muitas fotos. Volte daqui a { $seconds } segundos, por favor.
    }

## Help and privacy

help =
    Oi! Me mande a foto de um rosto e eu adivinho que idade a pessoa aparenta e se é homem ou mulher, e digo quanta certeza eu tenho.

    { $how }

    Para um bom palpite: um só rosto, voltado para a câmera, bem iluminado, com um pouco de espaço em volta.

    Sou uma pequena rede neural que olha 128×128 pixels em tons de cinza e foi treinada com dezenas de milhares de rostos: dou um palpite pela aparência e não sei nada sobre a pessoa em si. /privacy conta o que acontece com a sua foto.
how-discord = Me mande uma foto por mensagem direta, me mencione com uma foto (ou em resposta a uma), use /guess ou escolha “Adivinhar idade” em Apps, no menu de uma mensagem ou de uma pessoa. Com “Adicionar app” no meu perfil, os dois últimos funcionam em qualquer lugar, e só você vê a resposta. Admins: /auto responde a todas as fotos de um canal, /settings mostra o resto.
how-telegram = Aqui, é só me mandar uma foto. Em um grupo, envie com a legenda /guess ou responda /guess a uma. Admins: /auto on responde a todas as fotos de um grupo, /settings mostra o resto.
how-matrix = Aqui, é só me mandar uma foto. Em uma sala com mais gente, responda !age a uma foto ou envie com a legenda !age; mencionar meu nome faz o mesmo. !age explain mostra como eu vejo um rosto. Moderadores: !age auto on responde a todas as fotos, !age settings mostra o resto.
how-guest = Onde não sou membro, me mencione na legenda de uma foto ou em resposta a uma.
privacy-mode = O Telegram esconde de mim as fotos dos grupos, a não ser que venham com um comando. Para usar /auto, me torne admin deste grupo, ou desligue meu modo de privacidade com o @BotFather (/setprivacy) e me adicione de novo.
business-declined = Você me conectou à sua conta comercial. Não fui feito para isso: não leio nem respondo o que seus clientes escrevem lá, e você pode me desconectar nas configurações do Telegram, na parte de empresas. Suas próprias fotos são bem-vindas aqui.
matrix-encrypted = Esta sala é criptografada, e eu não consigo ler mensagens criptografadas. Crie uma sala com a criptografia desligada, me convide e mande a foto lá.
privacy =
    Sua foto é analisada na memória do computador onde eu rodo e depois esquecida: não é guardada, não é usada para treinamento e não é enviada a ninguém. Onde não sou membro, só vejo o que você me mostra: a mensagem que me menciona e aquela a que ela responde, ou aquilo em que você usa o meu comando.

    O que eu guardo: as configurações de um chat (idioma, respostas automáticas, gênero, sorriso), as suas (idioma, gênero, /optout) e os pontos do jogo com o nome de quem joga. Até responder, eu me lembro de onde está a sua foto, para que ela não se perca se eu for reiniciado. /forget apaga o que guardo sobre você; usado por um admin em um grupo, /forget apaga também o que guardo sobre o grupo. O registro do meu computador não contém imagens, nomes, mensagens nem identificadores, só identificadores embaralhados com um segredo que muda a cada início. A plataforma em que você escreve tem suas próprias regras.
forgotten-person = Pronto: não guardo mais nada sobre você.
forgotten-chat = Pronto: não guardo mais nada sobre você nem sobre este chat.
opted-out = Pronto: de agora em diante ignoro suas fotos aqui, não importa quem peça. /optin desfaz isso.
opted-in = Pronto: volto a olhar suas fotos quando pedirem.

## Settings

settings = Configurações deste chat. Toque para mudar:
settings-typed = Configurações desta sala. Para mudar, digite o comando do início de uma linha:
settings-auto =
    { $on ->
        [yes] Respostas automáticas: ligadas
       *[no] Respostas automáticas: desligadas
    }
settings-private =
    { $on ->
        [yes] Respostas: só para quem pediu
       *[no] Respostas: para todo mundo
    }
settings-gender =
    { $gender ->
        [never] Gênero: nunca dizer
        [sure] Gênero: só quando tenho certeza
       *[always] Gênero: dizer
    }
settings-smile =
    { $smile ->
        [never] Sorriso: nunca dizer
       *[sure] Sorriso: só quando tenho certeza
    }
settings-language = Idioma: { $language }
settings-language-client = Idioma: o de cada pessoa
auto-on = De agora em diante respondo a todas as fotos neste chat. /auto off desliga isso.
auto-off = Não respondo mais às fotos aqui, a não ser que alguém peça.
auto-direct = Em uma conversa só comigo, eu já respondo a todas as fotos.
auto-state =
    { $on ->
        [yes] As respostas automáticas estão ligadas neste chat. /auto off desliga.
       *[no] As respostas automáticas estão desligadas neste chat. /auto on liga.
    }
auto-unseen = O Discord esconde de mim as fotos daqui, a não ser que me mencionem. Para /auto, quem me administra precisa me permitir o “message content intent” (discord.message_content na minha configuração).
private-start = Neste grupo respondo só a quem pergunta, em conversa privada. Abra uma comigo, por favor, toque em Iniciar e pergunte de novo.
admin-cannot-write = Alguém me perguntou sobre uma foto em “{ $chat }”, mas não tenho permissão para escrever lá. Permita que eu envie mensagens lá ou desative as respostas automáticas, por favor. Aviso no máximo uma vez por dia.
admins-only = Só um admin deste chat pode mudar isso.
language-set = Agora eu falo { $language }.
language-unknown = Esse idioma eu ainda não falo. Eu falo: { $languages }.
gender-set =
    { $gender ->
        [never] Não adivinho mais o seu gênero.
        [sure] Só adivinho o seu gênero quando tenho certeza.
       *[always] Volto a adivinhar o seu gênero.
    }

## Buttons

button-see = Como você me vê?
button-crop = Testar o recorte sugerido
button-anyway = Adivinhar mesmo assim
button-delete = Apagar
not-yours = Só quem pediu pode fazer isso.
reply-deleted = (apagado)
gone = Essa foto não está mais aqui, então não posso olhar de novo.

## The game

game = Quantos anos tem esta pessoa? Toque no seu palpite; só vale o primeiro. Quem começou o jogo revela o meu.
game-players =
    { $count ->
        [0] Ninguém deu palpite ainda.
        [one] Um palpite até agora.
       *[other] { $count } palpites até agora.
    }
game-reveal = Revelar
game-taken = Seu palpite: { $age }.
game-already-guessed = Você já deu seu palpite: { $age }.
game-host = Você sabe a resposta: deixe os outros adivinharem.
game-over = Este jogo acabou.
game-unsure = Para o jogo, preciso de uma foto com um só rosto bem visível.
game-mine = Meu palpite: { $person }.
game-truth = A idade verdadeira: { $age }.
game-winner =
    { $count ->
        [one] Mais perto: { $names }, com o palpite { $age }. Um ponto!
       *[other] Mais perto: { $names }, com o palpite { $age }. Um ponto para cada!
    }
game-nobody = Ninguém deu palpite desta vez.
game-beaten = E mais perto do que eu!
scores = Placar deste chat:
score = { $place }. { $name }: { $points }
scores-none = Ninguém tem pontos aqui ainda. /game em uma foto começa um jogo.

## Commands, as the platforms' menus show them

command-guess = Adivinhar que idade aparentam as pessoas de uma foto
command-guess-photo = Uma foto com um rosto, ou vários
command-game = Primeiro vocês adivinham a idade, depois veem meu palpite
command-game-age = A idade verdadeira, revelada no fim
command-scores = Quem adivinha melhor neste chat
command-auto = Responder a todas as fotos deste chat, ou parar (admins)
command-settings = Ver e mudar como me comporto neste chat
command-language = Escolher o idioma que eu falo com você
command-gender = Se eu adivinho o seu gênero: sempre, só com certeza ou nunca
command-optout = Ignorar minhas fotos
command-optin = Voltar a olhar minhas fotos
command-forget = Apagar o que está guardado sobre mim
command-privacy = O que acontece com a sua foto
command-help = O que eu sei fazer e como tirar uma boa foto

# Names of the commands in Discord's menus: lower case, no spaces, at most 32 characters, all different.
name-guess = adivinhar
name-game = jogo
name-scores = placar
name-auto = automático
name-settings = configurações
name-language = idioma
name-gender = gênero
name-optout = ignorar
name-optin = não-ignorar
name-forget = esquecer
name-privacy = privacidade
name-help = ajuda
# In the menu of a message; at most 32 characters, spaces and capitals allowed.
name-guess-age = Adivinhar idade
