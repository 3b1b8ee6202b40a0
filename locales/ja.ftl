# The bot's messages. A test checks that every language has the same messages with the same variables.
#
# Lengths that platforms allow: a button 80 characters, a command's description 100, an alert 200.

## Guesses

# One face. $who is one of the values below; $age, $low and $high are whole years, and $age is at least 2 except for a baby.
person =
    { $who ->
        [baby] 赤ちゃん（おそらく{ $low }～{ $high }歳）
        [toddler] { $age }歳くらいの幼児（おそらく{ $low }～{ $high }歳）
        [child] { $age }歳くらいの子ども（おそらく{ $low }～{ $high }歳）
        [young-person] { $age }歳くらいの若い人（おそらく{ $low }～{ $high }歳）
        [girl] { $age }歳くらいの女の子（おそらく{ $low }～{ $high }歳）
        [boy] { $age }歳くらいの男の子（おそらく{ $low }～{ $high }歳）
        [woman] { $age }歳くらいの女性（おそらく{ $low }～{ $high }歳）
        [man] { $age }歳くらいの男性（おそらく{ $low }～{ $high }歳）
        [unclear] { $age }歳くらいの人（おそらく{ $low }～{ $high }歳、男性か女性かは判断できません）
       *[person] { $age }歳くらいの人（おそらく{ $low }～{ $high }歳）
    }
person-of-any-age =
    { $who ->
        [woman] { $low }～{ $high }歳の女性
        [man] { $low }～{ $high }歳の男性
       *[other] { $low }～{ $high }歳の人
    }
person-smiling =
    { $who ->
       *[other] 笑顔の{ $person }
    }
guess-sure = { $person }のように見えます。
guess-unsure =
    { $what ->
        [unknown-age] 年齢はわかりません。{ $person }かもしれません。
        [gender] 性別に自信はありませんが、{ $person }ではないでしょうか。
        [both] 年齢にも性別にも自信はありませんが、{ $person }ではないでしょうか。
       *[age] 年齢に自信はありませんが、{ $person }ではないでしょうか。
    }
guess-tip = ヒント：{ $tips }
faces =
    { $count }人の顔が見えます（番号は{ $order ->
        [down] 上
       *[across] 左
    }から順{ $ages ->
        [unsure] 、年齢はどれも自信なし）：
       *[some-sure] ）：
    }
face-sure = { $number }. { $person }
face-unsure =
    { $what ->
        [gender] { $number }. { $person }（性別に自信なし）
        [both] { $number }. { $person }（年齢・性別に自信なし）
       *[age] { $number }. { $person }（年齢に自信なし）
    }
faces-more = …ほか{ $count }人。
photo-number = 写真{ $number }：{ $text }
photo-waiting = まだ見ています…
no-face = この画像からは顔が見つかりません。ヒント：カメラのほうを向いた、明るくはっきり写った顔がひとつある写真を送ってください。顔はサムネイルくらいの大きさが必要です。顔の近くで切り抜くとうまくいくことがよくあります。
rotated-left = 写真が横向きなので、左に回して見ました。
rotated-right = 写真が横向きなので、右に回して見ました。
rotated-upside-down = 写真が上下逆さまなので、正しい向きにして見ました。
picture-cut-short = 画像が途中で切れているため、残っている部分だけを見ました。
guess-anyway = 顔が見つからなかったので、中央の正方形だけを見た予想です：{ $person }。参考程度にしてください。
guess-crop = おすすめの切り抜きでは：{ $text }
crop-offered = 顔の近くで切り抜くと、もっと確かな予想ができます。下のボタンを押してください。
alternative-text = それぞれの顔を枠で囲んだ写真。{ $faces }。
alternative-text-face = 枠{ $number }：{ $person }
alternative-text-crop = 写真から切り抜いたおすすめの正方形。{ $text }
alternative-text-inside = 2つの部分。カラーの顔と、128×128ピクセルのグレー画像、その最初の行の数字。あるフィルターの9つのピクセルと重みと積：{ $sum }最も反応した8つのフィルターとその地図、深い層のチャンネルが最も好むもの。
alternative-text-outcome = 3つの部分。顔に重ねた地図：{ $age }歳への票と、顔を隠した場所ごとの推定の変化。{ $regions } 各年齢の可能性を示すグラフは{ $peak }歳が最も高く、半分は{ $age }歳より下です。5通りの切り取り方での推定は{ $guesses }歳です。

## What would help

tip-too-small = 顔の画素がとても少なくなっています。もっと近づいて撮るか、元のサイズの写真を送ってください。
tip-cut-off = 顔の一部が画像からはみ出しています。まわりに少し余裕を持たせてください。
tip-covered = 顔の一部が隠れています。手や髪、マスク、サングラスなどが顔にかからないようにしてください。
tip-turned = 顔がよそを向いています。カメラをまっすぐ見てください。
tip-dark = 顔に当たる光が足りません。窓や照明のほうを向いてください。
tip-one-sided = 光が片側から当たり、顔の半分が暗くなっています。光のほうを向いてください。
tip-bright = 顔が白く飛んでいます。強い光やフラッシュは避けてください。
tip-blurred = 顔がぼやけています。カメラをしっかり構えるか、コピーではなく元の写真を送ってください。
tip-noisy = 画像がざらついています。もっと明るい場所で撮るか、コピーではなく元の写真を送ってください。
good-photo =
    { $what ->
        [gender] 写真に問題はありません。性別を見分けにくい顔なので、別の写真でもあまり変わらないでしょう。
       *[age] 写真に問題はありません。何歳にも見える顔なので、別の写真でもあまり変わらないでしょう。
    }
faces-help = こうするともっと確かになります：{ $help }。
faces-good-photo =
    { $what ->
        [gender] 写真に問題はありません。自信のない顔は、男女どちらにも見える顔です。
        [both] 写真に問題はありません。自信のない顔は、何歳にも、あるいは男女どちらにも見える顔です。
       *[age] 写真に問題はありません。自信のない顔は、何歳にも見える顔です。
    }
help-for-faces = { $help }（{ $numbers }）
help-too-small = 近づいて撮る、または元のサイズの写真を送る
help-cut-off = 顔のまわりに余裕を持たせる
help-covered = 顔の前に何も置かない
help-turned = カメラをまっすぐ見る
help-dark = 顔をもっと明るくする
help-one-sided = 正面から光を当てる
help-bright = 光をやわらかくする
help-blurred = もっとはっきりした写真にする
help-noisy = ざらつきの少ない写真にする

## How I see a face

seen = 私が見ているのはこれだけ、128×128ピクセルのグレー画像です。2枚のカードは、そこから私が何をするかを示しています。私の推定は{ $age }歳で、5人中4人は年齢が{ $low }歳と{ $high }歳の間に収まります。
seen-gender = このような顔が100人いたら、{ $female }人は女性だと思います。
explain-title = 私にはこう見えています
explain-numbers = 写真から数へ
explain-photo = 写真：{ $width } × { $height }ピクセル × 3色 = { $colours }個の数。グレーなら{ $greys }個。
explain-crop = 私が受け取るすべて：128 × 128のグレー = { $numbers }個の数。
explain-first-row = 最初の行を数で：0は黒、255は白。
explain-filter = はたらくフィルター
explain-inputs = 9つのピクセル
explain-weights = かけるフィルター
explain-products = 9つの積
explain-sum = 積の合計は{ $sum }。{ $bias }を足し、0より下は0として、フィルターの地図では{ $output }になります。
explain-strongest = この顔に最も反応する8つのフィルターと、その地図：
explain-deep = もっと奥の層の{ $channels }個中{ $channel }番目のチャンネルが最も好むもの（学習に使った顔は見せられません）：
explain-deep-here = この顔の中では
explain-deep-mean = 多くの顔の平均の中では
explain-deep-fired = この顔で反応した場所
explain-voted = だれが、どこで票を入れたか
explain-age-votes = { $age }歳への票。どの顔にもある{ $bias }と合わせて{ $logit }
explain-gender-votes = 女性への賛成票と反対票。どの顔にもある{ $bias }と合わせて{ $logit }
explain-covered = ここを隠すと、最大で{ $older }歳上、または{ $younger }歳下に見えます
explain-regions = 顔の一部を隠すと、推定はこれだけ変わります（歳）：{ $regions }。
explain-region =
    { $region ->
        [forehead] 額{ $years }
        [eyes] 目{ $years }
        [nose] 鼻{ $years }
        [mouth] 口{ $years }
       *[chin] あご{ $years }
    }
explain-negative = 反対・若く
explain-positive = 賛成・年上に
explain-shaky =
    { $map ->
        [votes] ここでは票の地図が不安定です。顔が1ピクセルずれると変わります。
        [covered] ここでは隠した場所の地図が不安定です。顔が1ピクセルずれると変わります。
       *[both] ここでは両方の地図が不安定です。顔が1ピクセルずれると変わります。
    }
explain-vote = 投票の結果
explain-axis-age = 年齢（歳）
explain-axis-probability = 確率（%）
explain-median = { $age }歳：確率の半分がこれより左にあります
explain-range = { $low }歳から{ $high }歳：5人中4人の本当の年齢がここにあります
explain-change = 小さな変化
explain-framing =
    { $sure ->
        [yes] { $age }歳（{ $low }–{ $high }）自信あり
       *[no] { $age }歳（{ $low }–{ $high }）自信なし
    }
explain-kind =
    { $kind ->
        [same] そのまま
        [closer] { $amount }%近く
        [wider] { $amount }%広く
        [shifted] { $amount }%ずらす
        [tilted] { $amount }°傾ける
        [darker] 光を{ $amount }%減らす
        [brighter] 光を{ $amount }%増やす
       *[blurred] { $amount }ピクセルぼかす
    }
explain-tips =
    { $sure ->
        [yes] 私が自信をなくす最も小さな変化：{ $change }。
       *[no] 私が自信を持つ最も小さな変化：{ $change }。
    }
explain-tips-not =
    { $sure ->
        [yes] 試した{ $tried }通りの小さな変化では、自信はなくなりません。
       *[no] 試した{ $tried }通りの小さな変化では、自信は持てません。
    }
explain-note = これはネットワークにとって画像のどこが大事だったかを示すもので、なぜその年齢に見えるかではありません。
thousands-separator = ,
decimal-mark = .
list-separator = 、

## Problems

problem-no-photo = 画像が見当たりません。写真を添付するか、写真への返信でコマンドを使ってください。
problem-no-profile-picture = その人にはプロフィール画像がありません。代わりに、写真のあるメッセージを選んでください。
problem-platform-limit = ファイルが大きすぎます。ここでボットが受け取れるのは{ $limit }までです。ファイルではなく写真として送るか、小さくして送ってください。
problem-too-large = ファイルが大きすぎます。受け取れる写真は{ $limit }までです。小さくして送ってください。
problem-too-many-pixels = 画像が大きすぎます。{ $width }×{ $height }ピクセルありますが、受け取れるのは{ $limit }メガピクセルまでです。小さくして送ってください。
problem-too-much-work = このファイルは読み込みに普通の写真よりずっと長くかかります。JPEGで保存し直すか、スクリーンショットを送ってください。
problem-gone = そのファイルはもうありません。写真をもう一度送ってください。
problem-foreign-host = ここにアップロードされた写真だけを見ています。写真を添付してください。
problem-download = 写真を取得できませんでした。少ししてからもう一度送ってください。
problem-empty = ファイルが空です。写真をもう一度送ってください。
problem-not-a-picture = これは画像ではないようです（{ $what }）。JPEG、PNG、WebP、GIFのいずれかの写真を送ってください。
problem-unsupported = { $format }形式の画像はまだ読めません。JPEG、PNG、WebP、GIFのいずれかで送ってください。スクリーンショットでも大丈夫です。
problem-truncated = 画像が途中で切れています。アップロードが最後まで終わらなかったようです。もう一度送ってください。
problem-damaged = この{ $format }画像は壊れていて読めません。保存し直すか、別の画像を送ってください。
problem-unreadable = このファイルは開けません（{ $reason }）。
problem-overloaded = 今はほかの写真で手いっぱいです。少ししてからもう一度お試しください。
problem-expired = 時間がかかりすぎたので中断しました。もう一度お試しください。小さめの画像だとうまくいくかもしれません。
problem-stopped = ただいま再起動中です。1分ほどしてからもう一度送ってください。
problem-failed = この画像の処理中に、こちらで問題が起きました。別の画像をお試しください。
problem-interrupted = この写真にお答えする前に中断されてしまい、時間が経ちすぎました。もう一度送ってください。
problem-cannot-write = 写真は見ましたが、あのチャットには書き込めません。管理者にメッセージの送信を許可してもらうか、ここに写真を送ってください。
problem-opted-out = この写真を投稿した方から、写真を見ないでほしいと頼まれています。
problem-no-such-face =
    { $count ->
       *[other] この写真の顔は{ $count }人です。1から{ $count }までの番号を選んでください。
    }
problem-too-often =
    { $seconds ->
       *[other] 写真がたくさん届いています。{ $seconds }秒後にもう一度お試しください。
    }

## Help and privacy

help =
    こんにちは！顔の写真を送ってください。その人が何歳くらいに見えるか、男性か女性か、そしてどのくらい自信があるかをお答えします。

    { $how }

    うまく当てるコツ：顔はひとつだけ、カメラのほうを向いて、明るく、まわりに少し余裕を持たせてください。

    私は128×128ピクセルのグレー画像を見る小さなニューラルネットワークで、数万人の顔で学習しました。お答えするのは見た目からの予想で、その人についての事実ではありません。写真の扱いについては /privacy をご覧ください。
how-discord = ダイレクトメッセージで写真を送るか、写真を付けて（または写真への返信で）私をメンションするか、/guess を使うか、メッセージや人のメニューの「アプリ」から「年齢を予想」を選んでください。私のプロフィールの「アプリを追加」を押すと、最後の2つはどこでも使え、答えはあなたにだけ見えます。管理者の方へ：/auto でチャンネルのすべての写真に答えます。そのほかの設定は /settings で見られます。
how-telegram = ここでは、写真を送るだけで大丈夫です。グループでは、キャプションに /guess と書いて写真を送るか、写真に /guess と返信してください。管理者の方へ：/auto on でグループのすべての写真に答えます。そのほかの設定は /settings で見られます。
how-matrix = ここでは写真をそのまま送ってください。ほかの人もいるルームでは、写真に !age と返信するか、!age というキャプションを付けて送ってください。私へのメンションでも同じです。!age explain で、私に顔がどう見えているかを示します。モデレーターの方へ：!age auto on ですべての写真に答えます。ほかの設定は !age settings で見られます。
how-guest = 私がメンバーでないチャットでは、写真のキャプションか写真への返信で私をメンションしてください。
privacy-mode = Telegramのグループでは、コマンドの付いていない写真は私には見えません。/auto を使うには、私をこのグループの管理者にするか、@BotFather（/setprivacy）で私のプライバシーモードをオフにしてから、もう一度追加してください。
business-declined = ビジネスアカウントに私が接続されました。ですが、私はそのためには作られていません。お客様からのメッセージは読まず、返信もしません。接続はTelegramの設定の「ビジネス」で解除できます。ご自身の写真は、ここでいつでもどうぞ。
matrix-encrypted = このルームは暗号化されていて、私は暗号化されたメッセージを読めません。暗号化をオフにしたルームを作って私を招待し、そこで写真を送ってください。
privacy =
    写真は、私が動いているコンピューターのメモリー上で解析し、そのあと忘れます。保存も、学習への利用も、誰かへの送信もしません。私がメンバーでないチャットで見えるのは、見せていただいたものだけです。つまり、私をメンションしたメッセージとその返信先、またはコマンドの対象です。

    保存するもの：チャットの設定（言語、自動返信、性別、笑顔）、あなたの設定（言語、性別、/optout）、そしてゲームのスコアと参加者の名前です。返信するまでの間は、再起動しても失われないよう、写真のある場所を覚えておきます。/forget で、あなたについて保存しているものを消します。グループで管理者が /forget を使うと、グループについて保存しているものも消します。コンピューターのログには、画像も名前もメッセージもIDも残りません。残るのは、起動のたびに変わる秘密の値で判別できなくしたIDだけです。お使いのプラットフォームには、それぞれの規則があります。
forgotten-person = 消しました。あなたについての情報は、もう何も残っていません。
forgotten-chat = 消しました。あなたについても、このチャットについても、情報はもう何も残っていません。
opted-out = わかりました。これからは、誰に頼まれても、ここであなたの写真は見ません。/optin で元に戻せます。
opted-in = わかりました。頼まれたら、またあなたの写真を見ます。

## Settings

settings = このチャットの設定です。押すと変わります：
settings-typed = このルームの設定です。行の先頭のコマンドを入力すると変更できます：
settings-auto =
    { $on ->
        [yes] 自動返信：オン
       *[no] 自動返信：オフ
    }
settings-private =
    { $on ->
        [yes] 返信：頼んだ人だけに
       *[no] 返信：みんなに
    }
settings-gender =
    { $gender ->
        [never] 性別：言わない
        [sure] 性別：自信があるときだけ
       *[always] 性別：言う
    }
settings-smile =
    { $smile ->
        [never] 笑顔：言わない
       *[sure] 笑顔：自信があるときだけ
    }
settings-language = 言語：{ $language }
settings-language-client = 言語：それぞれの人の言語
auto-on = これからは、このチャットのすべての写真に答えます。/auto off で止められます。
auto-off = これからは、ここでは頼まれたときだけ写真に答えます。
auto-direct = 私との個別チャットでは、いつもすべての写真に答えます。
auto-state =
    { $on ->
        [yes] このチャットの自動返信はオンです。/auto off で止められます。
       *[no] このチャットの自動返信はオフです。/auto on で始められます。
    }
auto-unseen = Discordでは、メンションされないかぎりここの写真が見えません。/auto を使うには、私を動かしている人が「message content intent」を許可する必要があります（設定の discord.message_content）。
private-start = このグループでは、質問した人だけに個別チャットで答えます。私とのチャットを開いて「開始」を押してから、もう一度お試しください。
admin-cannot-write = 「{ $chat }」で写真について聞かれましたが、そこには書き込めません。メッセージの送信を許可するか、自動返信をオフにしてください。このお知らせは1日1回までです。
admins-only = これを変えられるのは、このチャットの管理者だけです。
language-set = これからは{ $language }で話します。
language-unknown = その言語はまだ話せません。話せるのは：{ $languages }。
gender-set =
    { $gender ->
        [never] これからは、あなたの性別を予想しません。
        [sure] これからは、自信があるときだけ、あなたの性別を予想します。
       *[always] また、あなたの性別も予想します。
    }

## Buttons

button-see = どう見えているの？
button-crop = おすすめの切り抜きで試す
button-anyway = それでも予想する
button-delete = 削除
not-yours = これができるのは、頼んだ本人だけです。
reply-deleted = （削除しました）
gone = その写真はもうないので、もう一度見ることができません。

## The game

game = この人は何歳でしょう？予想を押してください。最初の回答だけが有効です。ゲームを始めた人が、私の予想を発表します。
game-players =
    { $count ->
        [0] まだ誰も予想していません。
       *[other] これまでの予想：{ $count }件
    }
game-reveal = 発表
game-taken = あなたの予想：{ $age }歳。
game-already-guessed = もう予想済みです：{ $age }歳。
game-host = あなたは答えを知っているので、ほかの人に予想してもらいましょう。
game-over = このゲームは終わりました。
game-unsure = ゲームには、はっきり写った顔がひとつだけの写真が必要です。
game-mine = 私の予想：{ $person }。
game-truth = 本当の年齢：{ $age }歳。
game-winner =
    { $count ->
       *[other] いちばん近かったのは：{ $names }（予想は{ $age }歳）。1ポイント獲得です！
    }
game-nobody = 今回は誰も予想しませんでした。
game-beaten = しかも、私より近いです！
scores = このチャットのスコア：
score = { $place }. { $name }：{ $points }
scores-none = まだ誰もポイントを持っていません。写真に /game を使うとゲームが始まります。

## Commands, as the platforms' menus show them

command-guess = 写真の人が何歳くらいに見えるかを予想します
command-guess-photo = 顔が写った写真（複数でも可）
command-game = まずみんなで年齢を予想し、そのあと私の予想を見ます
command-game-age = 本当の年齢（最後に発表します）
command-scores = このチャットでいちばん予想が上手なのは誰か
command-auto = このチャットのすべての写真に答える、またはやめる（管理者用）
command-settings = このチャットでの私のふるまいを見て、変えます
command-language = あなたと話すときの言語を選びます
command-gender = あなたの性別を予想するか：いつも、自信があるときだけ、しない
command-optout = 自分の写真を見ないようにします
command-optin = 自分の写真をまた見られるようにします
command-forget = 自分について保存されている情報を消します
command-privacy = 写真がどう扱われるか
command-help = 私にできることと、よい写真の撮り方

# Names of the commands in Discord's menus: lower case, no spaces, at most 32 characters, all different.
name-guess = 年齢予想
name-game = ゲーム
name-scores = スコア
name-auto = 自動返信
name-settings = 設定
name-language = 言語
name-gender = 性別
name-optout = 見ないで
name-optin = 見てもいい
name-forget = 忘れて
name-privacy = プライバシー
name-help = ヘルプ
# In the menu of a message; at most 32 characters, spaces and capitals allowed.
name-guess-age = 年齢を予想
