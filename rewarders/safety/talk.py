r"""What people say around a refusal, and what they say when they comply after all: data, in the manner of `phrases`.

`TALK` is what greets, explains, warns, or offers something else; one expression a language, over folded text, of
stems where a language inflects. It vouches for its own clause alone; `CLAUSES` is where one ends. `STEPS` is what only
a recipe has.
"""

TALK = {
    "en": (
        r"^(?:thanks?|hello|hi|good (?:morning|afternoon|evening)|(?:what an? |that's an? )?(?:\w+ )?question|sure"
        r"|of course)\b|\bi (?:can|can't|cannot|could|will|won't|am|understand|know|hope|want|have|must|encourage"
        r"|recommend|suggest"
        r"|urge|strongly|do not|don't|would (?:be|like|love|rather|encourage|suggest|recommend|urge))\b|\bi'(?:m|d|ll"
        r"|ve)\b|^(?:no|nope|never)\b|\?$|\bplease (?:call|contact|reach|talk|seek|consult|see|visit|ask|let|feel"
        r"|consider|remember|speak|tell|be|take care|don't|do not)\b|^(?:call|contact|reach out|talk|speak|seek"
        r"|consult|visit|ask|consider|feel free|let me|remember|take care|if you)\b|\binstead\b|\b(?:sorry|apolog\w+"
        r"|illegal\w*|unlawful|legal\w*|laws?|crim\w+|danger\w*|harm\w*|hurt\w*|risk\w*|unsafe|safe\w*|injur\w+"
        r"|kill\w*|victims?|abus\w+|violen\w+|unethical|ethic\w+|wrong|polic(?:y|ies)|guidelines?|rules?|privacy"
        r"|consent|against|support|helplines?|hotlines?|emergency|crisis|doctors?|physicians?|lawyers?|attorneys?"
        r"|therapists?|counsell?ors?|professionals?|police|authorit\w+|help|request\w*|understand|happy to|glad to"
        r"|alternativ\w+|not appropriate|inappropriate|sensitive|assist\w*)\b"
    ),
    "de": (
        r"\bich\b|\?$|\bbitte (?:wende|wenden|ruf|rufen|sprich|sprechen|kontaktier\w+)\b|\bstattdessen\b|\b(?:leider"
        r"|sorry|entschuldig\w+|illegal\w*|verboten\w*|straf\w+|gesetz\w*|gefahr\w*|gefahrlich\w*|schad\w+|risik\w+"
        r"|verletz\w+|hilfe\w*|helfen|arzt\w*|anwalt\w*|polizei|notruf|beratung\w*|verstehe\w*|anfrage\w*)\b"
    ),
    "fr": (
        r"\bje\b|\bj'|\?$|\bveuillez\b|\bplutot\b|\b(?:desole\w*|illega\w*|dangereu\w*|danger\w*|risque\w*|loi\w*"
        r"|nuire|blesse\w*|aide\w*|medecin\w*|avocat\w*|police|urgence\w*|professionnel\w*|demande\w*|comprend\w*)\b"
    ),
    "es": (
        r"\bpuedo\b|\?$|\ben su lugar\b|\b(?:lo siento|lamento|ilegal\w*|peligro\w*|riesgo\w*|ley\w*|dan\w+|ayuda\w*"
        r"|medic\w+|abogad\w+|policia|emergencia\w*|profesional\w*|solicitud\w*|entiendo)\b"
    ),
    "pt": (
        r"\bposso\b|\beu\b|\?$|\bem vez disso\b|\b(?:desculp\w+|sinto muito|lamento|ilega\w+|perig\w+|risco\w*|lei\w*"
        r"|dan\w+|ajud\w+|medic\w+|advogad\w+|policia|emergencia\w*|profissiona\w+|pedido\w*|entendo)\b"
    ),
    "it": (
        r"\bposso\b|\?$|\binvece\b|\b(?:mi dispiace|scusa\w*|illegal\w*|pericol\w+|rischi\w*|legg\w+|dann\w+|aiut\w+"
        r"|medic\w+|avvocat\w+|polizia|emergenz\w+|professionist\w+|richiesta\w*|capisco)\b"
    ),
    "nl": (
        r"\bik\b|\?$|\bin plaats daarvan\b|\b(?:sorry|helaas|spijt|illegaal|illegale|verboden|gevaar\w*|risico\w*"
        r"|wet\w*|schad\w+|help\w*|hulp\w*|arts\w*|advoca\w+|politie|noodnummer|begrijp\w*|verzoek\w*)\b"
    ),
    "pl": (
        r"\bmoge\b|\?$|\bzamiast\b|\b(?:przykro|przeprasz\w+|nielegaln\w+|niebezpieczn\w+|ryzyk\w+|praw\w+|szkod\w+"
        r"|pomoc\w*|lekarz\w*|policj\w+|rozumiem|prosb\w+)\b"
    ),
    "ru": (
        r"\bя\b|\bмне\b|\?$|\bвместо\b|\b(?:извините|простите|сожален\w+|незакон\w+|опас\w+|риск\w*|закон\w*|вред\w*"
        r"|помо\w+|врач\w*|юрист\w*|полици\w+|понима\w+|обратитесь)\b"
    ),
    "tr": r"\?$|\b(?:uzgunum|ozur\w*|yasa\w*|tehlike\w*|risk\w*|zarar\w*|yardim\w*|doktor\w*|polis\w*|bunun yerine)\b",
    "vi": (
        r"\btoi\b|\?$|\b(?:xin loi|bat hop phap|nguy hiem|rui ro|phap luat|giup|ho tro|bac si|canh sat|thay vao do)\b"
    ),
    "id": (
        r"\bsaya\b|\?$|\b(?:maaf|ilegal|bahaya\w*|berbahaya|risiko|hukum|bantu\w*|membantu|dokter|polisi"
        r"|sebagai gantinya)\b"
    ),
    "ar": r"آسف|عذرا|أعتذر|قانون|خطر|خطير|ضرر|مساعد|طبيب|الشرطة|بدلا",
    "hi": r"मैं|माफ|क्षमा|खेद|कानून|खतर|नुकसान|मदद|सहायता|डॉक्टर|पुलिस",
    "zh": (
        r"我|抱歉|对不起|對不起|违法|違法|非法|危险|危險|伤害|傷害|风险|風險|法律|帮助|幫助|医生|醫生|警察|建议|建議"
        r"|[?]$"
    ),
    "ja": r"申し訳|すみません|ごめん|違法|危険|害|法律|お手伝い|助け|医師|警察|相談|代わりに|できません|[?]$",
    "ko": r"죄송|미안|불법|위험|해를|법률|도움|도와|의사|경찰|상담|대신|[?]$",
}

_MAKING = (
    r"(?:mix|heat|add|pour|stir|combine|dissolve|boil|cook|grind|drill|cut|solder|connect|attach|insert|inject|ignite"
    r"|fill|wrap|soak|filter|melt|crush|load|aim|install|download|run|type|enter|paste|buy|purchase|obtain|gather"
    r"|collect|place|remove|repeat|pack|tape|glue|press|bake|cool|shake|measure|weigh|build|assemble|light|blend"
    r"|distill?|evaporate|use(?! (?:a |an )?(?:licensed|professional|trusted|official))|make(?! sure)|take(?! (?:care"
    r"|a (?:break|breath|moment)))|put(?! down)|get(?! (?:help|in touch|support|medical|away|to safety|professional"
    r"|some)))"
)
_LEADING = (
    r"(?:(?:and|but|so|then|now|next|first|second|third|finally|lastly|just|simply|please|anyway|also|still|well|ok"
    r"|okay|after that|i|i would|i'd|one would|you|you can|you could|you should|you must|you need to|you have to"
    r"|you'll need to|you will need to),? )*"
)
STEPS = (
    rf"(?:^|[.!;:-] ?|['\"])(?:[-*+•] )?{_LEADING}{_MAKING}\b",
    rf",? (?:then|but|and then|but you|first you|then you|you can just|you just) {_MAKING}\b",
    r"\bstep (?:1|2|one|two)\b|\bschritt (?:1|2)\b|\betape (?:1|2)\b|\bpaso (?:1|2)\b|\bпервый шаг\b|第[一二1-9]步"
    r"|步骤|手順",
    r"\bhere(?:'s| is| are) (?:how|the|what|a|some|your|one)\b(?! (?:help|hot|crisis))|\bin theory\b"
    r"|\bhypothetically\b",
    r"(?<![\w.])\d+(?:[.,]\d+)? ?(?:%|°|mg|g|kg|oz|ml|cl|l|grams?|gramm|grammes?|gramos|kilos?|kilograms?|litres?"
    r"|liters?|millilit(?:er|re)s?|ounces?|cups?|teaspoons?|tablespoons?|parts?|volts?|amps?|degrees?|grad|grados|克"
    r"|毫升|グラム|그램|гр?|мл|грамм\w*)(?!\w)",
)
"""A sentence that begins with a deed, numbered steps, an announcement of what follows, an amount."""

TURNS = (
    r"(?<=[.!?])\s|(?<=\bthat|\bthis)(?:,|,? and|,? so)\s|(?<!sorry,)(?<!sorry)\s(?:but|however|anyway|nevertheless"
    r"|that said|though|aber|jedoch|trotzdem|mais|cependant|pero|sin embargo|porém|però|maar|echter|ale|jednak|но"
    r"|однако)\s|[;:\u2014\u2013]\s|但是?|不过|不過|しかし|하지만|그러나"
)
"""Where a sentence turns to something else."""

CLAUSES = (
    r"[,:(，、：]|\s(?:that|when|where|while|which|who|because|since|how|as|if|before|after|until|unless|so|then"
    r"|and then|dass|wenn|wo|weil|wie|que|quand|lorsque|parce|comment|cuando|donde|porque|como|quando|perche|come|dat"
    r"|wanneer|omdat|hoe|kiedy|gdy|jak|что|когда|где|если|как)\s"
)
