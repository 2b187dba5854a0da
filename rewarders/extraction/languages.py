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
"""Before a value, with two words between at most, they make it another one: `at most 42` is not 42."""

QUALIFIERS_BESIDE = (
    "under", "below", "above", "beyond", "nearly", "almost", "hardly", "barely", "scarcely", "than", "from", "near",
    "close to", "short of", "exceed", "exceeds", "exceeding", "surpasses", "precedes", "succeeds", "divides",
    "divisible by", "multiplied by", "mod", "modulo", "congruent to", "excluding", "anything but", "all but",
    "every number but", "moitié de", "double de", "carré de", "racine de", "inverse de", "mitad de", "doble de",
    "cuadrado de", "raíz de", "hälfte von", "fast", "presque", "casi", "quasi", "почти",
)  # fmt: skip
"""The same, but only with nothing between: of "from the above we get 5" the value is 5."""

_QUANTITIES = """
    total totals subtotal value values answer result solution solutions area areas distance distances length width
    height depth perimeter circumference radius diameter volume mass weight density speed velocity acceleration force
    energy power temperature pressure angle slope gradient intercept probability chance odds likelihood cost costs
    price prices profit profits loss losses income salary wage wages pay payment payments bill fee fees fine tax tip
    debt balance amount amounts quantity count counts tally score scores rate rates ratio percentage interest discount
    discounts savings revenue sales earnings expense expenses budget age time duration period interval minimum maximum
    min max set sets range domain coordinates coordinate point pair triple tuple vector equation expression formula form
    polynomial matrix limit degree dimension order number distribution increase decrease gain reduction remainder
    yield grade mark marks average mean median mode change surplus deficit estimate figure sum
    consist consists consisting composed comprised made group groups team teams batch pack packs row rows
"""
QUANTITIES = frozenset(_QUANTITIES.split())
"""Of the area of 5 and of the total of 5 the value is 5; of the cosine of 5, or of any other word's, it is not."""

_FUNCTIONS_OF = """
    multiple factor divisor power root square cube third quarter fourth fifth sixth seventh eighth ninth tenth
    eleventh twelfth hundredth thousandth half function negation negative reciprocal inverse opposite complement
    conjugate factorial permutation combination logarithm log sine cosine tangent cotangent secant cosecant double
    part predecessor successor divisors submultiple residue digit prime
"""
FUNCTIONS_OF = frozenset(_FUNCTIONS_OF.split())
"""A group of 5 and a loss of 5 are 5; a third of 5 is not."""

NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty",
    "fifty", "sixty", "seventy", "eighty", "ninety", "half", "a hundred", "a thousand",
)  # fmt: skip

_FUNCTION_WORDS = """
    a an the is are was were be been in of on at to for from by with as and or but if so then than that this these
    those there here which who whom whose when where while since because each per total all any both would will
    can could may must should have has had does what into only also again still every daily now
    remain remains remaining left respectively altogether i we you they he she it its his her their our times
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
