// Memory policies of a machine with one node: set_mempolicy(2), get_mempolicy(2), mbind(2), migrate_pages(2),
// move_pages(2), set_mempolicy_home_node(2).
#include <linux/mempolicy.h>

#include "abi.h"

enum { kPage = 4096, kHomeNode = 450 };

static long set_policy(int mode, const unsigned long* mask, unsigned long max) {
  return syscall(SYS_set_mempolicy, mode, mask, max);
}
static long get_policy(int* mode, unsigned long* mask, unsigned long max, void* at, unsigned long flags) {
  return syscall(SYS_get_mempolicy, mode, mask, max, at, flags);
}
static long bind_to(void* at, size_t size, int mode, const unsigned long* mask, unsigned long max, unsigned flags) {
  return syscall(SYS_mbind, at, size, mode, mask, max, flags);
}

static void is(int mode, unsigned long nodes) {
  int now = -1;
  unsigned long mask[16];
  memset(mask, 0xff, sizeof(mask));
  OK(get_policy(&now, mask, 1024, NULL, 0));
  CHECK_EQ(now, mode);
  CHECK_EQ(mask[0], nodes);
  for (int i = 1; i < 16; i++) CHECK_EQ(mask[i], 0);
}

static void of_thread(void) {
  const unsigned long one = 1, two = 2, none = 0, both = 3;
  unsigned long mask[16] = {7};
  is(MPOL_DEFAULT, 0);
  OK(set_policy(MPOL_BIND, &one, 64));
  is(MPOL_BIND, 1);
  OK(set_policy(MPOL_BIND, &both, 64));  // what is not there is left out
  is(MPOL_BIND, 1);
  OK(set_policy(MPOL_INTERLEAVE, &one, 64));
  is(MPOL_INTERLEAVE, 1);
  int node = -1;
  OK(get_policy(&node, NULL, 0, NULL, MPOL_F_NODE));
  CHECK_EQ(node, 0);
  OK(set_policy(MPOL_PREFERRED, &one, 64));
  is(MPOL_PREFERRED, 1);
  FAILS(get_policy(&node, NULL, 0, NULL, MPOL_F_NODE), EINVAL);
  OK(set_policy(MPOL_PREFERRED, NULL, 0));
  is(MPOL_LOCAL, 0);
  OK(set_policy(MPOL_LOCAL, NULL, 0));
  is(MPOL_LOCAL, 0);
  OK(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES, &both, 64));
  is(MPOL_BIND | MPOL_F_STATIC_NODES, 3);
  OK(set_policy(MPOL_BIND | MPOL_F_RELATIVE_NODES, &two, 64));
  is(MPOL_BIND | MPOL_F_RELATIVE_NODES, 2);
  FAILS(set_policy(MPOL_BIND, &two, 64), EINVAL);
  FAILS(set_policy(MPOL_BIND, &none, 64), EINVAL);
  FAILS(set_policy(MPOL_BIND, NULL, 0), EINVAL);
  FAILS(set_policy(MPOL_LOCAL, &one, 64), EINVAL);
  FAILS(set_policy(MPOL_DEFAULT, &one, 64), EINVAL);
  FAILS(set_policy(MPOL_PREFERRED | MPOL_F_STATIC_NODES, NULL, 0), EINVAL);
  FAILS(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, &one, 64), EINVAL);
  FAILS(set_policy(100, &one, 64), EINVAL);
  FAILS(set_policy(-1, &one, 64), EINVAL);
  FAILS(set_policy(MPOL_BIND, (unsigned long*)8, 64), EFAULT);
  FAILS(set_policy(MPOL_BIND, &one, 4096 * 8 + 2), EINVAL);
  is(MPOL_BIND | MPOL_F_RELATIVE_NODES, 2);
  // The last bit of the size does not count.
  FAILS(set_policy(MPOL_BIND, &one, 1), EINVAL);
  OK(set_policy(MPOL_BIND, &one, 2));
  // A child has it, too; execve(2) does not take it away.
  int status;
  pid_t child = FORK({ is(MPOL_BIND, 1); });
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  OK(set_policy(MPOL_DEFAULT, NULL, 0));
  is(MPOL_DEFAULT, 0);

  int mode = -1;
  OK(get_policy(&mode, mask, 1024, NULL, MPOL_F_MEMS_ALLOWED));
  CHECK_EQ(mode, 0);
  CHECK_EQ(mask[0], 1);
  FAILS(get_policy(&mode, mask, 1024, NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_NODE), EINVAL);
  FAILS(get_policy(&mode, mask, 0, NULL, 0), EINVAL);
  FAILS(get_policy(&mode, mask, 1024, (void*)kPage, 0), EINVAL);
  FAILS(get_policy(&mode, NULL, 0, NULL, 8), EINVAL);
  FAILS(get_policy((int*)8, NULL, 0, NULL, 0), EFAULT);
  FAILS(get_policy(NULL, (unsigned long*)8, 64, NULL, 0), EFAULT);
  FAILS(get_policy(NULL, NULL, 0, (void*)8, MPOL_F_ADDR), EFAULT);
}

static int policy_at(char* at) {
  int mode = -1;
  OK(get_policy(&mode, NULL, 0, at, MPOL_F_ADDR));
  return mode;
}

static void of_mappings(void) {
  const unsigned long one = 1, two = 2;
  char* at = OK(mmap(NULL, 8 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK_EQ(policy_at(at), MPOL_DEFAULT);
  OK(bind_to(at + 2 * kPage, 2 * kPage, MPOL_BIND, &one, 64, 0));
  CHECK_EQ(policy_at(at + kPage), MPOL_DEFAULT);
  CHECK_EQ(policy_at(at + 2 * kPage), MPOL_BIND);
  CHECK_EQ(policy_at(at + 4 * kPage - 1), MPOL_BIND);
  CHECK_EQ(policy_at(at + 4 * kPage), MPOL_DEFAULT);
  unsigned long mask = 0;
  OK(get_policy(NULL, &mask, 64, at + 2 * kPage, MPOL_F_ADDR));
  CHECK_EQ(mask, 1);
  int node = -1;
  OK(get_policy(&node, NULL, 0, at + 2 * kPage, MPOL_F_ADDR | MPOL_F_NODE));
  CHECK_EQ(node, 0);
  OK(bind_to(at, 4 * kPage, MPOL_INTERLEAVE, &one, 64, MPOL_MF_MOVE | MPOL_MF_STRICT));
  CHECK_EQ(policy_at(at), MPOL_INTERLEAVE);
  CHECK_EQ(policy_at(at + 3 * kPage), MPOL_INTERLEAVE);
  int status;
  pid_t child = FORK({ CHECK_EQ(policy_at(at), MPOL_INTERLEAVE); });
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  OK(bind_to(at, 4 * kPage, MPOL_DEFAULT, NULL, 0, 0));
  CHECK_EQ(policy_at(at), MPOL_DEFAULT);
  FAILS(bind_to(at + 1, kPage, MPOL_DEFAULT, NULL, 0, 0), EINVAL);
  FAILS(bind_to(at, kPage, MPOL_BIND, &two, 64, 0), EINVAL);
  FAILS(bind_to(at, kPage, MPOL_BIND, &one, 64, 16), EINVAL);
  FAILS(bind_to(at, -1UL - kPage, MPOL_BIND, &one, 64, 0), EINVAL);
  OK(bind_to(at, 0, MPOL_BIND, &one, 64, 0));
  OK(munmap(at + 4 * kPage, kPage));
  FAILS(bind_to(at, 8 * kPage, MPOL_BIND, &one, 64, 0), EFAULT);
  CHECK_EQ(policy_at(at), MPOL_DEFAULT);
  if (syscall(kHomeNode, at, kPage, 0, 0) != -1 || errno != ENOSYS) {
    FAILS(syscall(kHomeNode, at, kPage, 0, 0), ENOENT);
    FAILS(syscall(kHomeNode, at, kPage, 0, 1), EINVAL);
    FAILS(syscall(kHomeNode, at, kPage, 5000, 0), EINVAL);
    OK(bind_to(at, kPage, MPOL_BIND, &one, 64, 0));
    OK(syscall(kHomeNode, at, kPage, 0, 0));
    OK(bind_to(at, kPage, MPOL_INTERLEAVE, &one, 64, 0));
    FAILS(syscall(kHomeNode, at, kPage, 0, 0), EOPNOTSUPP);
  }
}

static void pages(void) {
  enum { kPages = 3 };
  const unsigned long one = 1, two = 2, none = 0;
  char* at = OK(mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  at[0] = 1;
  char* hole = OK(mmap(NULL, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(munmap(hole, kPage));
  void* list[kPages] = {at, at + (32 << 20), hole};
  int status[kPages] = {7, 7, 7};
  const int nodes[kPages] = {0, 0, 0};
  ZERO(syscall(SYS_move_pages, 0, kPages, list, NULL, status, 0));
  CHECK_EQ(status[0], 0);
  CHECK_EQ(status[1], -ENOENT);
  CHECK_EQ(status[2], -EFAULT);
  ZERO(syscall(SYS_move_pages, getpid(), kPages, list, nodes, status, MPOL_MF_MOVE));
  CHECK_EQ(status[0], 0);
  CHECK_EQ(status[1], -ENOENT);
  CHECK_EQ(status[2], -EFAULT);
  const int far[kPages] = {5000, 0, 0};
  FAILS(syscall(SYS_move_pages, 0, 1, list, far, status, MPOL_MF_MOVE), ENODEV);
  FAILS(syscall(SYS_move_pages, 0, kPages, list, NULL, status, 1), EINVAL);
  FAILS(syscall(SYS_move_pages, 0, kPages, (void*)8, NULL, status, 0), EFAULT);
  FAILS(syscall(SYS_move_pages, 0, kPages, list, NULL, (void*)8, 0), EFAULT);
  FAILS(syscall(SYS_move_pages, 0x3ffffff, kPages, list, NULL, status, 0), ESRCH);
  ZERO(syscall(SYS_migrate_pages, 0, 64, &one, &one));
  ZERO(syscall(SYS_migrate_pages, getpid(), 64, &two, &one));
  FAILS(syscall(SYS_migrate_pages, 0, 64, &one, &none), EINVAL);
  FAILS(syscall(SYS_migrate_pages, 0x3ffffff, 64, &one, &one), ESRCH);
  FAILS(syscall(SYS_migrate_pages, 0, 64, (void*)8, &one), EFAULT);
}

int main(void) {
  of_thread();
  of_mappings();
  pages();
  return 0;
}
