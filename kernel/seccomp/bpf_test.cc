// Programs that seccomp takes and refuses, and what they answer.
#include "kernel/seccomp/bpf.h"

#include <random>
#include <vector>

#include "kernel/seccomp/filter.h"
// Last: CHECK is the test's.
#undef CHECK
#undef DCHECK
#include <catch2/catch.hpp>

using namespace runsc;
using namespace runsc::kernel;

namespace {

constexpr uint16_t kLdAbs = 0x20, kLdLen = 0x80, kLdMem = 0x60, kSt = 0x02, kRetK = 0x06, kRetA = 0x16,
                   kJeq = 0x15, kJa = 0x05, kTax = 0x07, kDivX = 0x3c, kDivK = 0x34, kLshK = 0x64,
                   kModK = 0x94, kAddK = 0x04, kSubX = 0x1c, kNeg = 0x84, kJset = 0x45, kLdxImm = 0x01;

using Program = std::vector<BpfInstruction>;

bool takes(const Program& p) { return bpf_check({p.data(), p.size()}).has_value(); }
uint32_t run(const Program& p, const SeccompData& data = {}) {
  REQUIRE(takes(p));
  return bpf_run({p.data(), p.size()}, data);
}

}  // namespace

TEST_CASE("BPF programs are checked", "[seccomp]") {
  CHECK(takes({{kRetK, 0, 0, 7}}));
  CHECK_FALSE(takes({}));
  CHECK_FALSE(takes({{kAddK, 0, 0, 1}}));                      // no return
  CHECK_FALSE(takes({{kLdAbs, 0, 0, 64}, {kRetA, 0, 0, 0}}));  // past the data
  CHECK_FALSE(takes({{kLdAbs, 0, 0, 2}, {kRetA, 0, 0, 0}}));   // across words
  CHECK(takes({{kLdAbs, 0, 0, 60}, {kRetA, 0, 0, 0}}));
  CHECK_FALSE(takes({{0x28, 0, 0, 0}, {kRetA, 0, 0, 0}}));  // a half word
  CHECK_FALSE(takes({{kJeq, 1, 0, 0}, {kRetK, 0, 0, 0}}));  // past the end
  CHECK_FALSE(takes({{kJa, 0, 0, 0xffffffff}, {kRetK, 0, 0, 0}}));
  CHECK_FALSE(takes({{kDivK, 0, 0, 0}, {kRetK, 0, 0, 0}}));
  CHECK_FALSE(takes({{kLshK, 0, 0, 32}, {kRetK, 0, 0, 0}}));
  CHECK_FALSE(takes({{kModK, 0, 0, 3}, {kRetK, 0, 0, 0}}));  // Linux takes it from sockets alone
  CHECK_FALSE(takes({{kSt, 0, 0, 16}, {kRetK, 0, 0, 0}}));
  CHECK_FALSE(takes({{kLdMem, 0, 0, 3}, {kRetA, 0, 0, 0}}));  // never written
  CHECK(takes({{kSt, 0, 0, 3}, {kLdMem, 0, 0, 3}, {kRetA, 0, 0, 0}}));
  // Written on one way only.
  CHECK_FALSE(takes({{kJeq, 0, 1, 0}, {kSt, 0, 0, 3}, {kLdMem, 0, 0, 3}, {kRetA, 0, 0, 0}}));
  CHECK_FALSE(takes({{0x0106, 0, 0, 0}}));
  CHECK_FALSE(takes(Program(4097, BpfInstruction{kRetK, 0, 0, 0})));
}

TEST_CASE("BPF programs compute", "[seccomp]") {
  SeccompData data{};
  data.number = 39;
  data.args[1] = 0x1'0000'0005;
  CHECK(run({{kLdAbs, 0, 0, 0}, {kRetA, 0, 0, 0}}, data) == 39);
  CHECK(run({{kLdAbs, 0, 0, 24}, {kRetA, 0, 0, 0}}, data) == 5);
  CHECK(run({{kLdAbs, 0, 0, 28}, {kRetA, 0, 0, 0}}, data) == 1);
  CHECK(run({{kLdLen, 0, 0, 0}, {kRetA, 0, 0, 0}}) == 64);
  CHECK(run({{kLdAbs, 0, 0, 0}, {kJeq, 0, 1, 39}, {kRetK, 0, 0, 1}, {kRetK, 0, 0, 2}}, data) == 1);
  CHECK(run({{kLdAbs, 0, 0, 0}, {kJset, 1, 0, 64}, {kRetK, 0, 0, 1}, {kRetK, 0, 0, 2}}, data) == 1);
  CHECK(run({{kLdAbs, 0, 0, 0},
             {kTax, 0, 0, 0},
             {kSubX, 0, 0, 0},
             {kAddK, 0, 0, 3},
             {kNeg, 0, 0, 0},
             {kRetA, 0, 0, 0}},
            data) == -3u);
  CHECK(run({{kLdxImm, 0, 0, 0}, {kDivX, 0, 0, 0}, {kRetK, 0, 0, 9}}) == 0);  // division by zero ends with 0
}

TEST_CASE("random BPF programs that pass the check end", "[seccomp]") {
  std::mt19937 random(7);
  int taken = 0;
  for (int i = 0; i < 200'000; ++i) {
    Program p(1 + random() % 6);
    for (BpfInstruction& one : p)
      one = {static_cast<uint16_t>(random() % 0xb0), static_cast<uint8_t>(random() % 4),
             static_cast<uint8_t>(random() % 4), static_cast<uint32_t>(random() % 70)};
    p.back().code = kRetA;
    if (!takes(p)) continue;
    ++taken;
    (void)bpf_run({p.data(), p.size()}, SeccompData{});
  }
  CHECK(taken > 1000);
}

TEST_CASE("the strictest of the answers holds", "[seccomp]") {
  auto returning = [](uint32_t answer) {
    Vec<BpfInstruction> program;
    CHECK(program.push_back({kRetK, 0, 0, answer}));
    return SeccompFilter::create(std::move(program)).value();
  };
  auto filter = [&](uint32_t answer, Ref<SeccompFilter> older) {
    Ref<SeccompFilter> made = returning(answer);
    CHECK(made->put_before(std::move(older)));
    return made;
  };
  Ref<SeccompFilter> chain = filter(seccomp_action::allow, {});
  chain = filter(seccomp_action::error | 1, chain);
  chain = filter(seccomp_action::error | 2, chain);
  CHECK(chain->run({}) == (seccomp_action::error | 2));
  chain = filter(seccomp_action::trap | 5, chain);
  chain = filter(seccomp_action::log, chain);
  CHECK(chain->run({}) == (seccomp_action::trap | 5));
  chain = filter(seccomp_action::kill_process, chain);
  CHECK(chain->run({}) == seccomp_action::kill_process);
  CHECK(chain->count() == 6);
  for (;;) {
    Ref<SeccompFilter> longer = returning(seccomp_action::allow);
    if (!longer->put_before(chain)) break;
    chain = longer;
  }
  CHECK(chain->count() > 6000);  // and so many go without recursion
}
