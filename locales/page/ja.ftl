# The chat page and the page about the program. Texts of the explanation are in the folder learn.

## Every page

site-skip = 本文へ移動
site-pages = ページ
site-chat = チャット
site-how = しくみ
site-about = このプログラムについて
site-language = 言語：
site-private-here = 写真はこのコンピューターの外に出ず、保存もされません。
site-private-server = 写真はこのサーバーに送られ、メモリー上で解析されたあと、保存されません。

## The chat

chat-title = チャット
chat-description = 写真の人が何歳くらいに見えるかを推定し、どのくらい自信があるかも答えます。
chat-hello = こんにちは！顔の写真を送ってください。何枚でもかまいません。その人が何歳くらいに見えるか、男性か女性か、そしてどのくらい自信があるかをお答えします。
chat-noscript = 写真を送るには JavaScript が必要です。
chat-conversation = 会話
chat-send = 写真を送る
chat-choose = 写真を選ぶ
chat-camera = カメラ
chat-clear = 消去
chat-hint = このページのどこにでもドロップまたは貼り付けできます
chat-drop = ここに写真をドロップしてください
chat-camera-title = カメラを見てください
chat-camera-preview = カメラの映像
chat-camera-hint = 明るいほうを向いて、目と口を隠さないでください。
chat-cancel = キャンセル
chat-take-photo = 撮影

# Words of the chat's script: one line each, no variants.
chat-script-you = あなた
chat-script-your-photo = あなたの写真 { $name }
chat-script-analysing = 見ています…
chat-script-photo = 写真 { $number }
chat-script-picture = それぞれの顔を枠で囲んだあなたの写真
chat-script-numbers = 数値
chat-script-age = 年齢：{ $age }歳（おそらく{ $low }～{ $high }歳）
chat-script-age-untold = 年齢：{ $low }～{ $high }歳のいずれか
chat-script-female = 女性の確率：{ $percent } %
chat-script-male = 男性の確率：{ $percent } %
chat-script-sure = 自信があります
chat-script-unsure = 自信がありません
chat-script-share = 画像を共有
chat-script-retry = もう一度試す
chat-script-offline = サーバーにつながりません。プログラムは動いていますか？もう一度お試しください。
chat-script-failed = うまくいきませんでした。もう一度お試しください。
chat-script-no-files = 画像ファイルだけを受け付けています。画像をいったん保存してから、そのファイルをここにドロップしてください。
chat-script-camera-wait = カメラを待っています…
chat-script-camera-blocked = ブラウザーがこのページでのカメラの使用を止めています。アドレスバーで許可するか、写真を選んでください。
chat-script-camera-missing = カメラが見つかりません。代わりに写真を選べます。

## Uploads that are refused

upload-not-a-form = 写真そのものを image/jpeg などの種類を付けて送るか、「photo」という名前のファイル欄が1つあるフォームとして送ってください。
upload-not-a-number = 「face」欄には、1から数えた顔の番号を入れてください。
upload-unknown-action = パラメーター「action」には、この写真への以前の返答にあるボタンのアクションを指定してください。
upload-several-photos = 写真は1枚ずつ送ってください。
upload-too-many-photos = 写真は一度に10枚まで送ってください。
upload-interrupted = アップロードが中断されました。写真をもう一度送ってください。
upload-timed-out = アップロードに時間がかかりすぎました。もう一度お試しください。
key-needed = このページとAPIにはキーが必要です。ブラウザーではパスワードとして入力し、プログラムからは「Authorization: Bearer …」または「X-Api-Key: …」で送ってください。

## About

about-title = このプログラムについて
about-description = 写真の扱い、推定の正確さ、使ってはいけない用途について。
about-lead = FaceGuesser は、顔が何歳くらいに見えるか、女性に見えるか男性に見えるかを推定します。小さなニューラルネットワークが顔ごとに128×128個の灰色の画素だけを見ていて、その人についてほかには何も知りません。
about-privacy = プライバシー
about-privacy-photo = 写真は、答えるあいだだけメモリーに置かれます。ディスクには書き込まれず、学習にも使われず、ほかのだれにも送られません。ログに残るのは写真の枚数とバイト数だけで、画像や名前、アドレスは残りません。
about-privacy-browser = このページはほかのサイトから何も読み込まず、クッキーも使いません。言語を選ぶと、ブラウザーがそれを覚えておきます。
about-accuracy = 正確さ
about-accuracy-summary = 学習に使っていない{ $faces }人の顔では、年齢の誤差は平均{ $age }年、性別は{ $gender } % が正解でした。かっこ内の範囲には、{ $coverage } % の顔で本当の年齢が入っていました。
about-by-age = 本当の年齢ごとの正確さ
about-by-group = データセットのラベルごとの正確さ
about-age = 年齢
about-group = グループ
about-faces = 顔の数
about-age-error = 年齢の平均誤差（年）
about-gender-right = 性別の正解率
about-ages = 子どもの年齢がいちばん当てやすく、40歳を過ぎると7年ほどずれ、高齢の人はたいてい若く見積もります。4歳未満の性別はコイン投げとほとんど変わらないので、答えません。
about-groups = グループの名前はデータセット UTKFace のものです。そのラベルは人と機械が推定しました。グループで誤差が違うのは、年齢の分布が違うことと、学習データに少ないグループがあることによります。
about-group-female = 女性のラベル
about-group-male = 男性のラベル
about-group-white = 白人
about-group-black = 黒人
about-group-asian = アジア人
about-group-indian = インド人
about-group-others = その他
about-limits = 限界
about-limits-looks = 推定するのは見た目で、事実ではありません。5人に1人は、本当の年齢がかっこ内の範囲の外にあります。
about-limits-labels = 学習データには「女性」と「男性」しかありません。
about-limits-children = 赤ちゃんや小さな子どもの性別は答えません。また、10代の人を大人と見ることがあります。
about-limits-photo = 小さい、暗い、ぼやけた、横を向いた顔からは、あまりわかりません。むらのない光で近くから撮った写真がいちばん役に立ちます。
about-limits-decisions = 人についての判断には使わないでください。年齢確認にも、本人確認にも、投稿の監視にも使えません。
about-terms = 利用条件
about-terms-code = コードは自由ソフトウェアで、MIT と Apache 2.0 のどちらかのライセンスを選べます。
about-terms-weights = ネットワークには学習データの条件がそのまま当てはまります。UTKFace は非商用の研究向け、FairFace は CC BY 4.0 です。All-Age-Faces、Images of Groups、GENKI-4K とラベル付きの集合写真も使いました。それに従って使ってください。
