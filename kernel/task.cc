#include "kernel/task.h"

#include <algorithm>
#include <utility>

#include "kernel/base/check.h"
#include "kernel/ipc/sem.h"
#include "kernel/namespaces.h"
#include "kernel/pid.h"
#include "kernel/syscalls/strace.h"
#include "kernel/task_pool.h"
#include "kernel/thread_group.h"
// kStackBytes
#include "arch_stacks.h"

namespace runsc::kernel {

namespace {
struct FreeTask {
  FreeTask* next;
};
constinit SpinLock g_pool_lock{LockRank::leaf};
constinit FreeTask* g_pool GUARDED_BY(g_pool_lock) = nullptr;
constinit std::atomic<uint64_t> g_pooled{0};
// The link stands behind the task, whose bytes must stay as the destructor left them.
constexpr size_t kLinkOffset = (sizeof(Task) + 15) & ~size_t{15};

constexpr size_t kTaskBytes = kLinkOffset + sizeof(FreeTask);

FreeTask& behind(void* task) {
  return *reinterpret_cast<FreeTask*>(static_cast<std::byte*>(task) + kLinkOffset);
}
}  // namespace

void* Task::operator new(size_t, const std::nothrow_t&) noexcept {
  {
    LockGuard guard(g_pool_lock);
    if (FreeTask* f = g_pool) {
      g_pool = f->next;
      g_pooled.fetch_sub(1, std::memory_order_relaxed);
      return reinterpret_cast<std::byte*>(f) - kLinkOffset;
    }
  }
  void* p = kalloc_for(kNoAccount, kTaskBytes);
  if (p) new (&behind(p)) FreeTask{};
  return p;
}

void Task::operator delete(void* p) noexcept {
  FreeTask* f = &behind(p);
  LockGuard guard(g_pool_lock);
  f->next = g_pool;
  g_pool = f;
  g_pooled.fetch_add(1, std::memory_order_relaxed);
}

uint64_t task_pool_bytes() { return g_pooled.load(std::memory_order_relaxed) * kTaskBytes; }

// A new task looks once whether CPU time is watched: its process may have inherited a limit, or be armed just
// now.
Task::Task()
    : work(strace_enabled() ? Work::trace | Work::cpu_time : static_cast<uint32_t>(Work::cpu_time)) {}

void Task::set_account(AccountId id) {
  account = paid_by = id;
  account_add(arch::cpu_local().stock, id, static_cast<int64_t>(kalloc_takes(kTaskBytes)));
}

Result<void> Task::make_stack() {
  sched.context.stack = TRY(arch::stack_alloc());
  account_add(arch::cpu_local().stock, paid_by, arch::kStackBytes);
  return {};
}

void Task::free_stack() {
  if (!sched.context.stack.base) return;
  arch::stack_free(std::exchange(sched.context.stack, {}));
  // It waits for another task; nobody pays for it until then.
  account_add(arch::cpu_local().stock, paid_by, -arch::kStackBytes);
}

Task::~Task() {
  account_add(arch::cpu_local().stock, paid_by, -static_cast<int64_t>(kalloc_takes(kTaskBytes)));
  if (user_state_) arch::user_state_destroy(user_state_);
  free_stack();
}

Result<Ref<Task>> Task::create() {
  Ref<Task> t = make_ref<Task>();
  if (!t) return Errno::nomem;
  return t;
}

int32_t Task::pid() const { return group_->pid; }
int32_t Task::own_pid() const { return group_->own_pid; }
PidNamespace& Task::pid_namespace() const { return group_->pid_namespace(); }

uint64_t Task::limit(unsigned resource) const { return group_->limits.soft(static_cast<Resource>(resource)); }

bool Task::uses(const mm::AddressSpace& mm) const {
  LockGuard guard(ref_lock_);
  return mm_.get() == &mm;
}

Task::Resident Task::resident() const {
  LockGuard guard(ref_lock_);
  if (!mm_) return {};
  const uint64_t pages = mm_->resident_pages();
  return {true, pages, std::min(pages, mm_->resident_file_pages())};
}

Ref<mm::AddressSpace> Task::mm_ref() const {
  LockGuard guard(ref_lock_);
  return mm_;
}
Ref<fs::FdTable> Task::files_ref() const {
  LockGuard guard(ref_lock_);
  return files_;
}
Ref<fs::FsContext> Task::fs_ref() const {
  LockGuard guard(ref_lock_);
  return fs_;
}
Ref<fs::Credentials> Task::creds_ref() const {
  LockGuard guard(ref_lock_);
  return creds_;
}

Ref<Namespaces> Task::namespaces_ref() const {
  LockGuard guard(ref_lock_);
  return namespaces_;
}

// The old object is dropped outside of the lock: its destructor may sleep.
void Task::set_mm(Ref<mm::AddressSpace> mm) {
  LockGuard guard(ref_lock_);
  std::swap(mm_, mm);
}
void Task::set_files(Ref<fs::FdTable> files) {
  LockGuard guard(ref_lock_);
  std::swap(files_, files);
}
void Task::set_fs(Ref<fs::FsContext> fs) {
  LockGuard guard(ref_lock_);
  std::swap(fs_, fs);
}
void Task::set_creds(Ref<fs::Credentials> creds) {
  LockGuard guard(ref_lock_);
  std::swap(creds_, creds);
}

void Task::set_namespaces(Ref<Namespaces> namespaces) {
  LockGuard guard(ref_lock_);
  std::swap(namespaces_, namespaces);
}

Ref<IoContext> Task::io_context_ref() const {
  LockGuard guard(ref_lock_);
  return io_context_;
}

Result<Ref<IoContext>> Task::make_io_context() {
  if (Ref<IoContext> own = io_context_ref()) return own;
  Ref<IoContext> fresh = make_ref<IoContext>();
  if (!fresh) return Errno::nomem;
  LockGuard guard(ref_lock_);
  if (!io_context_) io_context_ = std::move(fresh);
  return Ref<IoContext>(io_context_);
}

void Task::set_io_context(Ref<IoContext> context) {
  LockGuard guard(ref_lock_);
  std::swap(io_context_, context);
}

void Task::set_comm(std::string_view name) {
  name = name.substr(0, sizeof comm_ - 1);
  LockGuard guard(ref_lock_);
  std::fill(std::begin(comm_), std::end(comm_), '\0');
  std::copy(name.begin(), name.end(), comm_);
}

Task::Comm Task::comm() const {
  Comm c;
  LockGuard guard(ref_lock_);
  std::copy(std::begin(comm_), std::end(comm_), c.text);
  return c;
}

}  // namespace runsc::kernel
