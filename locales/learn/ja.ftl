# The page "How it works".

learn-title = しくみ
learn-description = コンピューターが顔をどう見るかを、あなたの写真で。
