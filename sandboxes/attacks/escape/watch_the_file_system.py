FAN_CLASS_CONTENT = 4
held(refused("fanotify_init", FAN_CLASS_CONTENT, 0))
