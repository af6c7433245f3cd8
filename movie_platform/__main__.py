from movie_platform.commands.main import main

main()
