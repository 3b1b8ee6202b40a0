# The page "How it works".

learn-title = So funktioniert es
learn-description = Wie ein Computer ein Gesicht sieht, an deinem eigenen Foto.
