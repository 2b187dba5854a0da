# Written where an interpreter looks for modules, or into the modules themselves: the next program would run it.
import builtins
import importlib
import json
import sysconfig

NAME = "assay_left_behind"
if FACTS["STAGE"] == "plant":
    builtins.left_behind = json.left_behind = sys.left_behind = os.left_behind = True
    os.environ["LEFT_BEHIND"] = "yes"
marks = [owner.__name__ for owner in (builtins, json, sys, os) if hasattr(owner, "left_behind")]
for folder in (os.getcwd(), "/tmp", sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"], *sys.path):
    try:
        if FACTS["STAGE"] == "plant":
            with open(os.path.join(folder, NAME + ".py"), "w") as file:
                file.write("here = __file__\n")
        else:
            os.unlink(os.path.join(folder, NAME + ".py"))
            marks.append(folder)
    except OSError:
        pass
if FACTS["STAGE"] == "plant":
    held()
broke_out(marks) if marks or "LEFT_BEHIND" in os.environ else held()
