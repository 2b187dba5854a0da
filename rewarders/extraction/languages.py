"""The words that announce, join and qualify an answer, in the languages that models are asked in."""

ANSWER_NOUNS = (
    "answer", "réponse", "reponse", "respuesta", "antwort", "risposta", "resposta", "ответ", "відповідь", "odpowiedź",
    "antwoord", "svar", "cevap", "jawaban", "đáp án", "đáp số", "الجواب", "الإجابة", "उत्तर",
)  # fmt: skip
"""English, French, Spanish, German, Italian, Portuguese, Russian, Ukrainian, Polish, Dutch, Scandinavian, Turkish,
Indonesian, Vietnamese, Arabic, Hindi."""

UNSPACED_ANSWER_NOUNS = ("答案", "答え", "答", "정답", "답")
"""Chinese, Japanese, Korean: what they belong to follows without a space."""

IS = ("is", "equals", "=", "est", "es", "ist", "lautet", "è", "é", "är", "er", "adalah", "là", "هو", "هي")
"""Stand between such a noun and the answer with a space before them."""

IS_UNSPACED = ("是", "为", "為", "は", "은", "는")

JOINERS = ("and", "or", "et", "ou", "und", "oder", "y", "o", "e", "и", "или", "و", "أو", "और", "या", "和", "或", "或者")
"""Two values with only this between them are one list, which is right only where the reference is one too."""

OPENERS = (
    "so", "thus", "hence", "therefore", "then", "it", "they", "he", "she", "we", "there", "this", "that", "donc",
    "ainsi", "also", "folglich", "итак", "поэтому", "por lo tanto", "entonces", "quindi", "portanto", "logo",
)  # fmt: skip
"""A text that starts with one of these is a sentence."""

HEDGES = (
    "or", "maybe", "perhaps", "possibly", "probably", "either", "could", "might", "alternatively", "to", "through",
    "ou", "peut-être", "oder", "vielleicht", "quizás", "talvez", "o", "или", "возможно", "أو", "ربما", "या", "शायद",
    "或", "或者", "可能", "也许", "至",
)  # fmt: skip
"""Between two values of one sentence they leave open which of them is meant."""

QUALIFIERS = (
    "not", "never", "cannot", "n't", "n’t", "less than", "more than", "greater than", "larger than", "smaller than",
    "fewer than", "at least", "at most", "other than", "rather than", "instead of", "except", "up to", "half", "twice",
    "double", "triple", "root of", "square of", "cube of", "factorial of", "minus", "negative", "plus", "times", "over",
    "divided by", "unlike", "no longer", "plus de", "moins de", "pas", "nicht", "kein", "weniger als", "mehr als",
    "no es", "más de", "menos de", "non è", "não é", "не", "больше", "меньше", "минус", "ليس",
    "or", "maybe", "perhaps", "possibly", "peut-être", "vielleicht", "quizás", "talvez", "возможно", "可能", "也许",
    "ليست", "नहीं", "不是", "不等于", "并非", "小于", "大于", "超过", "至少", "至多", "负",
)  # fmt: skip
"""Right before a value they make it another one: `at most 42` is not 42."""

_FUNCTION_WORDS = """
    a an the is are was were be been in of on at to for from by with as and or but if so then than that this these
    those there here which who whom whose when where while since because each per total all any both would will
    can could may must should have has had does what into only also again still every daily now
    remain remains remaining left respectively altogether i we you they he she it its his her their our
    est sont de des du en dans que qui et ou au aux par pour chez sur ist sind von und oder im in der die das den el la
    los las del son es un una y o e di il lo da per
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""After a number they are no unit of it."""

_SHORT_UNITS = """
    mm cm dm km mg kg ml cl dl min hr hrs sec ft yd mi lb lbs oz mph kmh hz khz mhz ghz kwh pt qt gal rad deg pct am pm
    mil usd eur gbp cny inr rs men ans dia dias jpy sq cu st nd rd th pi
"""
SHORT_UNITS = frozenset(_SHORT_UNITS.split())
"""Words of at most three letters that stay with their number."""

MEASURES = (
    "千克|公斤|毫克|克|吨|千米|公里|厘米|毫米|分米|米|毫升|升|秒|分钟|小时|美元|欧元|日元|人民币|元|角|度|平方|立方"
    "|摄氏度|キロ|グラム|メートル|円|ドル|원|달러|킬로|미터"
)
"""In scripts without spaces only these stay with their number: where a mere counter ends is not to be seen."""

SCALES = "[万亿億百千半成]|分之|又|тыс|миллион|миллиард|ألف|مليون|مليار|हज़ार|हजार|लाख|करोड़|만|억|천"
"""After a number they make it another one; it is not cut off from them."""
