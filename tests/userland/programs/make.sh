# A project of 50 files, four jobs at once.
set -e
mkdir /tmp/p && cd /tmp/p
for i in $(seq 50); do
  printf '#include <stdio.h>\nint f%d(int x) { return x * %d + 1; }\n' $i $i >f$i.c
done
{
  for i in $(seq 50); do echo "int f$i(int);"; done
  echo '#include <stdio.h>'
  echo 'int main(void) { long s = 0;'
  for i in $(seq 50); do echo "s += f$i($i);"; done
  echo 'printf("%ld\n", s); return 0; }'
} >main.c
cat >Makefile <<'M'
objects = $(patsubst %.c,%.o,$(wildcard *.c))
prog: $(objects)
	@$(CC) -o $@ $^
%.o: %.c
	@$(CC) -O1 -g -c -o $@ $<
clean:
	@rm -f prog *.o
M
make -j4 && ./prog && make -q && echo up to date
touch f7.c && ! make -q && make -j4 -s && ./prog && make clean && ls | wc -l
