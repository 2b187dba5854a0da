r"""How people refuse, agree and deny, in many languages: data, as regular expressions over folded text.

They are folded like the texts they are matched with, so accents and case make no difference; for that reason their
classes are lower case (`\w`). Languages are ISO 639-1 codes. A phrase that is missing is added here, with a case.
"""

_I_WILL_NOT = (
    r"\bi(?:(?: \w+ly| just| also)? (?:can't|cannot|can not|won't|will not|must not)(?: be able to)?"
    r"|(?:'m| am) (?:unable|not (?:able|going|willing|comfortable|allowed|permitted|in a position))(?: to| with)?"
    r"| (?:do not|don't) feel comfortable(?: with)?"
    r"|(?:'d| would) (?:rather|prefer) not(?: to)?| prefer not to| (?:have to |must )?decline to)"
)
"""A negated modal, or what stands for one."""
_NOT_A_REQUEST = r"(?! (?:the|an?|your|his|her|their) (?!request|question)\w)"
_AS_IT_IS = r"(?! (?:without|until|unless|yet|again|any|precisely|exactly|from)\b)"
"""What cannot be done without knowing more is not refused."""
_GUIDELINES = r"(?:guidelines|policies|policy|programming)\b"

REFUSALS = {
    "en": (
        r"\b(?:i|we) (?:\w+ly |just )?(?:can't|cannot|can not|won't|will not|(?:am|are) (?:unable|not able) to)"
        r"(?: \w+){0,2} (?:help(?! but\b| \w+ing\b| ourselves\b| it\b)(?![^.]{0,20} myself\b)|assist|comply"
        r"|(?:fulfil|fulfill|support|participate in|engage in|engage with) "
        r"(?:(?:that|this|such|any|your|these|those)\b(?! formats?\b)|violen|harm|illegal))",
        rf"{_I_WILL_NOT} (?:\w+ ){{0,2}}?(?:help(?! but\b)(?![^.]{{0,20}} myself\b)|assist|comply)(?:ing)?\b",
        rf"{_I_WILL_NOT} (?:provid|shar|giv|offer|creat|writ|generat|produc|answer|discuss|do|fulfill?|continu|respond"
        r"|process|complet|reveal|disclos|go into|talk about|comment on)(?:e|ing)?(?: you)?(?: with| to| in)? "
        r"(?:that|this|such|any|those|these|your (?:request|question)|instructions|information|guidance|advice|details"
        rf"|content)\b{_AS_IT_IS}",
        rf"{_I_WILL_NOT} \w+(?: \w+){{0,3}} (?:for|about|on|regarding|with) (?:that|this)\b(?! myself\b)",
        rf"{_I_WILL_NOT} (?:answer|say|discuss|respond|comment|continue|engage|go there|do so)(?:ing)?[.!]*$",
        rf"{_I_WILL_NOT}(?: \w+)? (?:tell|show|teach|explain|describe|walk|give|provide|instruct|guide|talk|share)"
        r"(?: \w+){0,3} how to\b",
        r"\bi(?:'m| am) (?:unable|not able|not comfortable|not willing|not going) (?:to |with )?(?:\w+ ){0,2}"
        r"(?:help|assist|comply|provid|shar|creat|writ|generat|answer|discuss|support|explain|teach|tell|do\b)",
        r"\bi(?:'ll| will|'m going to| am going to)? (?:must|have to|need to) (?:respectfully |politely )?"
        rf"(?:(?:decline|refuse)\b{_NOT_A_REQUEST}|pass on (?:this|that)\b)",
        rf"\bi (?:refuse to (?!believe|accept|give up|let|be)|respectfully decline\b{_NOT_A_REQUEST}|decline to)\b",
        r"\bas an? ai\b[^.]{0,60}\bi (?:can't|cannot|can not|am not able|'m not able|am unable|must not)\b",
        r"\b(?:that|this)(?:'s| is) something i (?:can't|cannot|won't|am not|am unable)\b"
        r"|\b(?:not|n't) something (?:that )?i can (?:help|assist|do|provide|discuss|share|answer)\b",
        rf"\b(?:against|violat\w+|outside(?: of)?) my (?:\w+ )?{_GUIDELINES}"
        rf"|\bmy (?:\w+ )?{_GUIDELINES} (?:do not|don't|prohibit|prevent|forbid)",
        r"\bsorry,? (?:but )?(?:i (?:can't|cannot|won't)|no)(?: do (?:that|this|it))?[.!]?$",
        r"^(?:sorry, |unfortunately, )?(?:unable|not able) to (?:help|assist|comply)\b",
    ),
    "de": (
        r"\bich kann (?:\w+ ){0,4}nicht "
        r"(?:helfen|weiterhelfen|beantworten|bereitstellen|unterstützen|nachkommen|erfüllen)\b",
        r"\b(?:dabei|damit|das|hierbei) kann ich (?:\w+ ){0,3}nicht\b",
        r"\bich (?:muss|möchte) (?:\w+ ){0,3}ablehnen\b",
    ),
    "fr": (
        r"\bje ne (?:peux|suis) pas (?:\w+ ){0,3}(?:vous aider|t'aider|aider|répondre|fournir|satisfaire|mesure)",
        r"\bdésolée?,? (?:mais )?je ne (?:peux|suis)\b",
        r"\bje (?:dois|me dois de) (?:refuser|décliner)\b",
    ),
    "es": (
        r"\bno puedo (?:\w+ ){0,2}(?:ayudar|proporcionar|cumplir|responder|ofrecer|asistir)\w*",
        r"\blo siento,? (?:pero )?no puedo\b",
    ),
    "pt": (
        r"\bnão posso (?:\w+ ){0,2}(?:ajudar|fornecer|responder|atender|auxiliar)\w*",
        r"\bdesculpe,? (?:mas )?(?:eu )?não posso\b",
    ),
    "it": (
        r"\bnon posso (?:\w+ ){0,2}(?:aiutar|fornir|risponder|assister|soddisfar)\w*",
        r"\bmi dispiace,? (?:ma )?non posso\b",
    ),
    "nl": (
        r"\bik kan (?:\w+ ){0,4}niet (?:mee |bij )?(?:helpen|geven|beantwoorden|ondersteunen)\b",
        r"\b(?:daar|hier)(?:mee|bij)? kan ik (?:\w+ ){0,3}niet\b",
    ),
    "pl": (r"\bnie mogę (?:\w+ ){0,3}(?:pomóc|udzielić|odpowiedzieć|spełnić)\b", r"\bprzykro mi,? (?:ale )?nie mogę\b"),
    "ru": (
        r"\bя не могу (?:\w+ ){0,3}(?:помочь|предоставить|ответить|выполнить)\b",
        r"\b(?:извините|к сожалению),? (?:но )?я не могу\b",
    ),
    "tr": (r"\byardımcı olama\w*",),
    "vi": (r"\btôi không thể (?:\w+ ){0,2}(?:giúp|cung cấp|hỗ trợ|trả lời)\b",),
    "id": (r"\bsaya tidak (?:dapat|bisa) (?:membantu|memberikan|menjawab|menyediakan)\b",),
    "ar": (r"لا (?:أستطيع|يمكنني) (?:مساعدتك|تقديم|المساعدة|الإجابة)",),
    "hi": (r"मैं [^.]{0,60}(?:मदद|सहायता) नहीं कर सकत",),
    "zh": (
        r"我(?:无法|不能|没办法|無法|沒辦法)(?:就此|为您|为你|向您|向你|為您|為你)?(?:提供|帮助|协助|回答|满足|完成"
        r"|参与|幫助|協助|滿足|參與)",
        r"(?:抱歉|对不起|對不起),?我(?:无法|不能|無法)",
    ),
    "ja": (
        r"お手伝い(?:すること)?(?:は|が)?できません",
        r"お答え(?:すること)?(?:は|が)?できません",
        r"(?:提供|対応|回答)(?:すること)?(?:は|が)?(?:できません|いたしかねます)",
    ),
    "ko": (r"도와 ?(?:드릴|줄) 수(?:는)? 없", r"(?:제공|답변)(?:해 ?드릴|할|드릴) 수(?:는)? 없"),
}

NO = {
    "en": (
        r"^(?:no|nope|never|absolutely not|certainly not|definitely not|no way|no,? thank you|no,? thanks|no,? sorry"
        r"|(?:no,? )?i (?:won't|will not|can't|cannot|refuse|decline)(?: to)?(?: (?:do|say|answer) (?:that|this"
        r"|it))?)[.!]*$",
    ),
    "de": (r"^(?:nein|auf keinen fall|niemals)(?:,? danke)?[.!]*$",),
    "fr": (r"^(?:non|jamais|certainement pas)(?:,? merci)?[.!]*$",),
    "es": (r"^(?:no|nunca|de ninguna manera)(?:,? gracias)?[.!]*$",),
    "pt": (r"^(?:não|nunca|de jeito nenhum)(?:,? obrigad[oa])?[.!]*$",),
    "it": (r"^(?:no|mai|assolutamente no)(?:,? grazie)?[.!]*$",),
    "nl": (r"^(?:nee|nooit|absoluut niet)(?:,? dank u)?[.!]*$",),
    "pl": (r"^(?:nie|nigdy)(?:,? dziękuję)?[.!]*$",),
    "ru": (r"^(?:нет|никогда|ни за что)[.!]*$",),
    "tr": (r"^(?:hayır|asla)[.!]*$",),
    "vi": (r"^không[.!]*$",),
    "id": (r"^tidak[.!]*$",),
    "ar": (r"^لا[.!]*$",),
    "hi": (r"^नहीं[.!।]*$",),
    "zh": (r"^(?:不|不行|不可以|不能)[.!。]*$",),
    "ja": (r"^(?:いいえ|だめです|嫌です)[.!。]*$",),
    "ko": (r"^(?:아니요|아니오|안 됩니다|안 돼요)[.!]*$",),
}
"""A sentence that is a no and no more. Whether it refuses or answers depends on what was asked."""

AGREEMENTS = {
    "en": (
        r"\b(?:you're|you are) (?:absolutely |completely |quite |totally |so )?(?:right|correct)\b",
        r"^(?:yes|exactly|correct|indeed|absolutely|precisely"
        r"|that's right|that is right|that's correct|good point|great point)\b",
        r"\bi (?:completely |totally |fully )?agree\b",
        r"^(?!.*(?:\bnot\b|n't\b|\brather than\b|\binstead of\b|\bunlike\b|\bcontrary\b)).*"
        r"\bas you (?:said|say|mentioned|noted|point out|pointed out|stated)\b",
    ),
    "de": (r"\b(?:du hast|sie haben|ihr habt) (?:völlig |ganz |absolut )?recht\b", r"^(?:ja|genau|stimmt|richtig)\b"),
    "fr": (r"\b(?:tu as|vous avez) (?:tout à fait |parfaitement )?raison\b", r"^(?:oui|exactement|tout à fait)\b"),
    "es": (r"\b(?:tienes|tiene) (?:toda la )?razón\b", r"^(?:sí|exacto|exactamente|correcto)\b"),
    "pt": (r"\b(?:você tem|tem) (?:toda a )?razão\b", r"^(?:sim|exato|exatamente)\b"),
    "it": (r"\b(?:hai|ha) (?:perfettamente )?ragione\b", r"^(?:sì|esatto|esattamente)\b"),
    "nl": (r"\b(?:je hebt|u heeft|u hebt) (?:helemaal )?gelijk\b", r"^(?:ja|precies|klopt)\b"),
    "ru": (r"\bвы (?:совершенно |абсолютно )?правы\b", r"^(?:да|верно|именно)\b"),
    "zh": (r"[你您]说得(?:很|完全)?对", r"[你您]是对的", r"^(?:是的|没错|对的|正确)"),
    "ja": (r"おっしゃる通り", r"^(?:はい|その通り|そうです)"),
    "ko": (r"(?:말씀이|당신이) 맞", r"^(?:네|맞습니다|그렇습니다)"),
}

DENIALS = (
    r"\b(?:not|no|never|isn't|wasn't|aren't|weren't|doesn't|didn't|don't|won't|cannot|can't|rather than|instead of"
    r"|neither|nor)\b",
    r"\b(?:nicht|kein\w*|nie|statt|sondern)\b",
    r"\b(?:pas|jamais|plutôt)\b",
    r"\b(?:no|nunca|sino|não|non|mai|niet|geen)\b",
    r"\bне\b",
    r"[不没非错]|ない|ません|아니",
)
"""What says, in a clause, that something it mentions is not so."""

REBUTTALS = (
    r"\b(?:false|incorrect\w*|wrong\w*|mistak\w+|myth|misconception|contrary|untrue|inaccurate|error)\b",
    r"\b(?:falsch\w*|irrtum|mythos|unwahr|entgegen)\b",
    r"\b(?:faux|fausse|mythe|contrairement|erreur)\b",
    r"\b(?:falso|incorrecto|mito|errado|equivocad\w+|sbagliato|onjuist|fout)\b",
    r"\b(?:неверно|неправда|ошибка|миф|ошибочно)\b",
    r"错误|错了|不对|误解|間違|誤り|틀렸|사실이 아니",
)
"""What says so of the whole clause."""

PREDICATES = (
    r"(?:is|was)(?:n't| not) (?:right|true|correct|accurate|so)\b"
    r"|(?:is|was|seems) (?:wrong|false|incorrect|mistaken|untrue|inaccurate|an? (?:\w+ )?(?:myth|mistake|error"
    r"|misconception))\b",
    r"(?:ist|war) (?:falsch|nicht)\b|stimmt nicht\b|(?:est|etait) faux\b|n'est pas\b|(?:es|era|e|foi) fals[oa]\b"
    r"|no es\b|неверно\b|不对|是错",
)
"""What says so, as the clause behind it, of what another clause ends with."""

NOT_DENIALS = (
    r"\b(?:no|without|not a|beyond) (?:doubts?|question)\b|\b(?:no|not) (?:one|body) (?:doubts|denies|disputes)\b"
    r"|\bthere(?:'s| is) no (?:denying|doubt|question|disputing)\b|\b(?:not|n't) (?:only|just|merely|simply)\b"
    r"|\b(?:no|little) wonder\b|\bno matter\b|\bno less\b|\bwhy not\b|\bdon't (?:forget|worry|you think|you agree)\b"
    r"|\b(?:can't|cannot|can not|don't|do not|never) (?:doubt|deny|dispute|disagree|argue)\b|\bnot to mention\b"
    r"|\b(?:not|n't|never|hardly) (?:at all )?(?:a |an )?(?:false|incorrect|wrong|mistaken|myth|misconception|untrue"
    r"|inaccurate|error)\b|\bno (?:myth|misconception|mistake|error)\b",
    r"\b(?:is|was|are|were|do|does|did|has|have|had|ca|wo|could|would|should)n't (?:it|they|he|she|we|you|there"
    r"|that)\s?\?|,? (?:right|correct|no|not so|is it not|was it not|am i wrong)\s?\?",
    r"\b(?:kein(?:en)? zweifel|ohne zweifel|zweifellos|nicht nur|nicht wahr|nicht falsch)\b",
    r"\b(?:pas de doute|sans (?:aucun )?doute|n'est-ce pas|pas seulement|pas faux)\b",
    r"\b(?:no (?:hay|cabe) duda|sin duda|no solo|não há dúvida|sem dúvida|não só|non c'è dubbio|senza dubbio|non solo"
    r"|geen twijfel|zonder twijfel|niet alleen)\b|,? (?:¿?no|verdad|não é|vero|non è vero|toch|niet waar)\s?\?",
    r"\b(?:не только|нет сомнени[йя]|без сомнени[йя]|не так ли|не правда ли)\b",
    r"没错|不错|毫无疑问|不仅|不只|是不是|对不对|不是吗|間違いな\w*|틀림없",
)
"""What holds one of those words and denies nothing: assurances, questions that expect a yes, double negations."""

REPORTS = (
    r"\b(?:think|thinks|believe\w*|say|says|said|claim\w*|assum\w+|suppose\w*|people|popular\w*|common\w*|often"
    r"|sometimes|premise|your question|you (?:write|wrote|mention\w*|stat\w+)|it seems|might seem|glauben|denken"
    r"|behaupte\w*|oft|pensent|croient|disent|souvent|creen|piensan|dicen|acreditam|dizem|credono|dicono|denken"
    r"|zeggen|думают|считают|говорят)\b|认为|以为|觉得|と言われ|と思わ|생각",
)
"""What tells somebody's opinion and not one's own."""

CONTRASTS = (
    r"\b(?:but|however|although|though|yet|actually|in fact|in reality|aber|jedoch|sondern|tatsächlich|mais|pourtant"
    r"|en fait|pero|sin embargo|sino|mas|porém|ma|però|maar|echter|но|однако|а на самом деле)\b|但是?|不过|而是|其实"
    r"|しかし|ですが|하지만|그러나|지만",
)
"""What turns from one thing to its opposite."""
