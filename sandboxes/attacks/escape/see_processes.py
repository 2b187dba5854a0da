seen = processes()
broke_out(f"{len(seen)} processes") if len(seen) > 8 or int(FACTS["BYSTANDER"]) in seen else held(seen)
