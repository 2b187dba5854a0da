ADDR_NO_RANDOMIZE = 0x40000
held(refused("personality", ADDR_NO_RANDOMIZE))
