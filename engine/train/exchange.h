// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/ops.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace pha {

/// Where the threads of a team wait for each other.
class Meeting {
public:
    explicit Meeting(std::size_t members)
        : members_(members)
    {
    }
    /// Waits until every member has come. -> whether all of them said yes. Throws Left once one has gone for good.
    bool agree(bool yes = true);
    void breakUp(); ///< sends away whoever waits or comes later
    bool broken();
    struct Left : std::runtime_error {
        Left()
            : std::runtime_error("another device left the update")
        {
        }
    };

private:
    const std::size_t members_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t here_ = 0;
    std::uint64_t round_ = 0;
    bool yes_ = true, answer_ = true, broken_ = false;
};

/// Sums tensors over the members of a team, each of which calls from a thread of its own.
class Exchange {
public:
    /// NCCL between cards, plain sums in the order of the members between processors.
    static std::unique_ptr<Exchange> make(const std::vector<torch::Device>& devices);
    explicit Exchange(std::size_t members)
        : meeting(members)
    {
    }
    virtual ~Exchange() = default;
    /// In place. All members give tensors of the same sizes in the same order and get the same bits.
    virtual void sum(std::size_t member, const std::vector<Tensor>& tensors) = 0;

    Meeting meeting;
};

} // namespace pha
