# The page "How it works".

learn-title = Comment ça marche
learn-description = Comment un ordinateur voit un visage, sur ta propre photo.
