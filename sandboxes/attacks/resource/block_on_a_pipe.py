try:
    os.mkfifo("pipe")
except OSError as error:
    held(error)
if os.fork() == 0:
    time.sleep(PATIENCE_S)
    os.close(os.open("pipe", os.O_WRONLY))
    os._exit(0)
open("pipe").read()
outlived()
