# The chat page and the page about the program. Texts of the explanation are in the folder learn.

## Every page

site-skip = Ir para o conteúdo
site-pages = Páginas
site-chat = Chat
site-how = Como funciona
site-about = Sobre
site-language = Idioma:
site-private-here = As fotos ficam nesta máquina e não são guardadas.
site-private-server = Sua foto é enviada a este servidor, analisada na memória dele e não é guardada.

## The chat

chat-title = Chat
chat-description = Adivinha que idade as pessoas de uma foto aparentam e diz quanta certeza tem.
chat-hello = Oi! Me mande a foto de um rosto, ou várias. Eu adivinho que idade a pessoa aparenta e se é homem ou mulher, e digo quanta certeza eu tenho.
chat-noscript = Esta página precisa de JavaScript para enviar sua foto.
chat-conversation = Conversa
chat-send = Enviar fotos
chat-choose = Escolher fotos
chat-camera = Câmera
chat-clear = Limpar
chat-hint = ou solte ou cole em qualquer lugar desta página
chat-drop = Solte suas fotos aqui
chat-camera-title = Olhe para a câmera
chat-camera-preview = Prévia da câmera
chat-camera-hint = Fique de frente para a luz, com os olhos e a boca descobertos.
chat-cancel = Cancelar
chat-take-photo = Tirar foto

# Words of the chat's script: one line each, no variants.
chat-script-you = Você
chat-script-your-photo = Sua foto { $name }
chat-script-analysing = Analisando…
chat-script-photo = Foto { $number }
chat-script-picture = Sua foto com uma moldura em volta de cada rosto
chat-script-numbers = Números
chat-script-age = Idade: { $age }, provavelmente de { $low } a { $high }
chat-script-age-untold = Idade: qualquer uma entre { $low } e { $high }
chat-script-female = Mulher: { $percent } % de probabilidade
chat-script-male = Homem: { $percent } % de probabilidade
chat-script-sure = Tenho certeza
chat-script-unsure = Não tenho certeza
chat-script-share = Compartilhar a imagem
chat-script-retry = Tentar de novo
chat-script-offline = Não consigo falar com o servidor. O programa ainda está rodando? Tente de novo, por favor.
chat-script-failed = Algo deu errado. Tente de novo, por favor.
chat-script-no-files = Só posso aceitar arquivos de imagem. Salve primeiro a imagem e depois solte o arquivo aqui.
chat-script-camera-wait = Esperando a câmera…
chat-script-camera-blocked = Seu navegador bloqueia a câmera nesta página. Permita na barra de endereço ou escolha uma foto.
chat-script-camera-missing = Não encontrei nenhuma câmera. Você pode escolher uma foto.

## Uploads that are refused

upload-not-a-form = Envie a própria foto com o seu tipo, como image/jpeg, ou um formulário com um único campo de arquivo chamado “photo”.
upload-not-a-number = O campo “face” espera o número de um rosto, contando a partir de 1.
upload-unknown-action = O parâmetro “action” espera a ação de um botão de uma resposta anterior a esta foto.
upload-several-photos = Envie uma foto de cada vez.
upload-too-many-photos = Envie no máximo dez fotos de cada vez.
upload-interrupted = O envio foi interrompido. Mande a foto de novo, por favor.
upload-timed-out = O envio demorou demais. Tente de novo, por favor.
key-needed = Esta página e a sua API precisam de uma chave: é a senha que o navegador pede, e os programas a enviam como “Authorization: Bearer …” ou “X-Api-Key: …”.

## About

about-title = Sobre
about-description = O que acontece com as fotos, quão precisos são os palpites e para que eles não servem.
about-lead = O FaceGuesser adivinha que idade um rosto aparenta e se parece de mulher ou de homem. Uma pequena rede neural olha para 128×128 pixels cinza de cada rosto e não sabe mais nada sobre a pessoa.
about-privacy = Privacidade
about-privacy-photo = Uma foto só fica na memória enquanto é respondida. Ela não é gravada em disco, não é usada para treinar e não é enviada a mais ninguém. O registro conta fotos e bytes; não contém imagens, nomes nem endereços.
about-privacy-browser = Esta página não carrega nada de outros sites e não usa cookies. Se você escolher um idioma, seu navegador se lembra dele.
about-accuracy = Precisão
about-accuracy-summary = Em { $faces } rostos que não foram usados no treino, a idade estimada erra em média { $age } anos e o gênero está certo em { $gender } %. A faixa entre parênteses contém a idade verdadeira em { $coverage } % deles.
about-by-age = Precisão por idade verdadeira
about-by-group = Precisão pelos rótulos do conjunto de dados
about-age = Idade
about-group = Grupo
about-faces = Rostos
about-age-error = Erro médio da idade, anos
about-gender-right = Gênero certo
about-ages = A idade das crianças é a mais fácil de adivinhar. A partir dos quarenta, os palpites erram cerca de sete anos; com os mais velhos, quase sempre para menos. Abaixo dos quatro anos, o gênero mal supera um cara ou coroa, por isso não o digo.
about-groups = Os grupos têm os nomes do conjunto de dados UTKFace, cujos rótulos foram estimados por pessoas e máquinas. Os erros diferem porque os rostos têm idades diferentes e porque alguns grupos são raros nos dados de treino.
about-group-female = Rotulados como mulher
about-group-male = Rotulados como homem
about-group-white = Brancos
about-group-black = Negros
about-group-asian = Asiáticos
about-group-indian = Indianos
about-group-others = Outros
about-limits = Limites
about-limits-looks = Ele adivinha aparências, não fatos. Em um de cada cinco rostos, a idade verdadeira fica fora da faixa entre parênteses.
about-limits-labels = Os dados de treino só conhecem “mulher” e “homem”.
about-limits-children = De bebês e crianças pequenas o gênero não é dito, e adolescentes às vezes passam por adultos.
about-limits-photo = Um rosto pequeno, escuro, borrado ou virado diz pouco. O que mais ajuda é uma foto mais de perto, com luz uniforme.
about-limits-decisions = Não o use para tomar decisões sobre pessoas: nada de controle de idade, identificação ou moderação.
about-terms = Termos
about-terms-code = O código é software livre, sob a licença MIT ou Apache 2.0, à sua escolha.
about-terms-weights = As redes mantêm os termos dos dados de treino: o UTKFace é oferecido para pesquisa não comercial e o FairFace tem licença CC BY 4.0; também foram usados o All-Age-Faces, o Images of Groups, o GENKI-4K e fotografias rotuladas de grupos. Use-as de acordo.
