from movie_platform.cli import main

main()
