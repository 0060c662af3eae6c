"""`python -m devserver.model --port N`"""

from devserver.model.server import main

main()
