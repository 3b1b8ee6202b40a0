# The page "How it works".

learn-title = Cómo funciona
learn-description = Cómo ve una cara un ordenador, con tu propia foto.
