// prctl(2), the seldom used ones: what x86-64 does not have, perf events, who reaps, where the thread number
// is cleared.
#include <sys/prctl.h>

#include "abi.h"

static void elsewhere(void) {
  // Of other machines.
  FAILS(prctl(PR_SET_UNALIGN, 1), EINVAL);
  int value = 0;
  FAILS(prctl(PR_GET_UNALIGN, &value), EINVAL);
  FAILS(prctl(PR_SET_FPEMU, 1), EINVAL);
  FAILS(prctl(PR_GET_FPEMU, &value), EINVAL);
  FAILS(prctl(PR_SET_FPEXC, 1), EINVAL);
  FAILS(prctl(PR_GET_FPEXC, &value), EINVAL);
  FAILS(prctl(PR_SET_ENDIAN, 1), EINVAL);
  FAILS(prctl(PR_GET_ENDIAN, &value), EINVAL);
  FAILS(prctl(PR_SVE_GET_VL), EINVAL);
  FAILS(prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0), EINVAL);
  FAILS(prctl(PR_SET_FP_MODE, 1), EINVAL);
  FAILS(prctl(PR_GET_FP_MODE), EINVAL);
  FAILS(prctl(PR_MPX_ENABLE_MANAGEMENT, 0, 0, 0, 0), EINVAL);
  CHECK_EQ(prctl(PR_GET_TIMING), PR_TIMING_STATISTICAL);
  FAILS(prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP), EINVAL);
  OK(prctl(PR_TASK_PERF_EVENTS_DISABLE));
  OK(prctl(PR_TASK_PERF_EVENTS_ENABLE));
}

static void mark(void) {
  int* where = NULL;
  OK(prctl(PR_GET_TID_ADDRESS, &where));
  CHECK(where != NULL);
  int word = 0;
  CHECK_EQ(syscall(SYS_set_tid_address, &word), getpid());
  OK(prctl(PR_GET_TID_ADDRESS, &where));
  CHECK_EQ(where, &word);
  FAILS(prctl(PR_GET_TID_ADDRESS, 8), EFAULT);
  int on = -1;
  OK(prctl(PR_GET_CHILD_SUBREAPER, &on));
  CHECK_EQ(on, 0);
  OK(prctl(PR_SET_CHILD_SUBREAPER, 77));
  OK(prctl(PR_GET_CHILD_SUBREAPER, &on));
  CHECK_EQ(on, 1);
  IN_CHILD(OK(prctl(PR_GET_CHILD_SUBREAPER, &on)); CHECK_EQ(on, 0));
  FAILS(prctl(PR_GET_CHILD_SUBREAPER, 8), EFAULT);
  FAILS(prctl(PR_SET_DUMPABLE, 2), EINVAL);
  OK(prctl(PR_SET_DUMPABLE, 0));
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
  IN_CHILD(CHECK_EQ(prctl(PR_GET_DUMPABLE), 0));
  OK(prctl(PR_SET_DUMPABLE, 1));
}

int main(void) {
  elsewhere();
  IN_CHILD(mark());
  return 0;
}
