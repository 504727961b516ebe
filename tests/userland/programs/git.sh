# A repository of 5,000 files: commits, branches, clones, packs.
set -e
export GIT_AUTHOR_DATE="2024-01-01T00:00:00Z" GIT_COMMITTER_DATE="2024-01-01T00:00:00Z" GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
mkdir /tmp/r && cd /tmp/r && git init -q -b main
for d in $(seq 50); do
  mkdir d$d
  for f in $(seq 100); do echo "$d $f" >d$d/f$f; done
done
git add -A && git commit -qm one && git rev-parse HEAD && git ls-files | wc -l
git checkout -qb side && git mv d1 moved && echo more >>d2/f2 && git commit -qam two && git rev-parse HEAD
git checkout -q main && echo other >>d3/f3 && git commit -qam three && git merge -q --no-edit side && git rev-parse HEAD
git log --oneline --stat | tail -n 4
git clone -q /tmp/r /tmp/c && cd /tmp/c && git rev-parse HEAD && git status --short | wc -l
git gc -q && git fsck --full 2>&1 && git count-objects -v | grep -v size
git diff HEAD~1 --stat | tail -n 1
