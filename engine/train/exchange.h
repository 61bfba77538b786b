// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/ops.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace pha {

/// The other computers that share a run, as the devices of this one see them. Called by one thread at a time; whatever
/// it throws, the run cannot go on.
class Others {
public:
    virtual ~Others() = default;
    virtual bool agree(bool yes) = 0; ///< waits for all of them. -> whether all said yes
    virtual void sum(const std::vector<Tensor>& tensors) = 0; ///< in place, on processors: over all computers
    virtual void leave() = 0; ///< nobody there shall wait for this one any longer
};

/// Where the devices of a computer stand among all that share a run.
struct TeamPlace {
    std::size_t first = 0; ///< number of the first device here
    std::size_t members = 0; ///< of all computers; 0: those here are all
    Others* others = nullptr; ///< null: there are none
    std::string meetingPoint; ///< by which the cards of all find each other, see Exchange::meetingPoint()
};

/// The first of those rows of a batch that a member reads.
inline std::int64_t firstRow(std::int64_t rows, std::size_t member, std::size_t members)
{
    return rows * std::int64_t(member) / std::int64_t(members);
}

/// Where the threads of a team wait for each other.
class Meeting {
public:
    explicit Meeting(std::size_t members, Others* others = nullptr)
        : members_(members)
        , others_(others)
    {
    }
    /// Waits until every member has come, those on other computers too. -> whether all of them said yes. Throws Left
    /// once one has gone for good.
    bool agree(bool yes = true) { return meet(yes, others_); }
    void gather() { meet(true, nullptr); } ///< waits for those of this computer alone
    void breakUp(); ///< sends away whoever waits or comes later
    bool broken();
    struct Left : std::runtime_error {
        Left()
            : std::runtime_error("another device left the update")
        {
        }
    };

private:
    bool meet(bool yes, Others* others);

    const std::size_t members_;
    Others* const others_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t here_ = 0;
    std::uint64_t round_ = 0;
    bool yes_ = true, answer_ = true, broken_ = false;
};

/// Sums tensors over the members of a team, each of which calls from a thread of its own.
class Exchange {
public:
    /// NCCL between cards, plain sums in the order of the members between processors. `devices` are those here.
    static std::unique_ptr<Exchange> make(const std::vector<torch::Device>& devices, const TeamPlace& place);
    static std::string meetingPoint(const torch::Device& device); ///< a new one; empty for processors
    Exchange(std::size_t members, const TeamPlace& place)
        : meeting(members, place.others)
    {
    }
    virtual ~Exchange() = default;
    /// In place. All members give tensors of the same sizes in the same order and get the same bits. `member` counts
    /// from the first one here.
    virtual void sum(std::size_t member, const std::vector<Tensor>& tensors) = 0;

    Meeting meeting;
};

} // namespace pha
