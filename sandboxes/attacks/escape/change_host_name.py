held(refused("sethostname", FACTS["HOST"].encode(), len(FACTS["HOST"])))
