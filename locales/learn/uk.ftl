# The page "How it works".

learn-title = Як це працює
learn-description = Як комп’ютер бачить обличчя, на твоєму власному фото.
