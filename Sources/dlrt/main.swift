import Glibc

exit(Main.run().rawValue)
