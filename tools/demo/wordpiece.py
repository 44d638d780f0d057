"""WordPiece tokeniser for uncased BERT vocabularies, greedy longest match first."""

import json
import unicodedata


class WordPiece:
    """Reads the vocabulary from a tokenizer.json of the `tokenizers` library."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.vocabulary = json.load(file)["model"]["vocab"]

    def encode(self, text):
        """Ids of `text` between [CLS] and [SEP]."""
        pieces = ["[CLS]"]
        for word in self._words(text):
            pieces += self._split(word)
        return [self.vocabulary[piece] for piece in pieces + ["[SEP]"]]

    @staticmethod
    def _words(text):
        """Lower case, accents dropped, punctuation apart."""
        spaced = ""
        for c in unicodedata.normalize("NFD", text.lower()):
            if unicodedata.category(c) == "Mn":
                continue
            punctuation = unicodedata.category(c).startswith(("P", "S"))
            spaced += f" {c} " if punctuation else c
        return spaced.split()

    def _split(self, word):
        pieces, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self.vocabulary:
                    pieces.append(piece)
                    start = end
                    break
            else:
                return ["[UNK]"]
        return pieces
