// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/active_clock.h"

#include <array>
#include <cstddef>
#include <utility>

namespace pha {

/// Splits the time of a run among what it does: each moment belongs to the innermost activity that has been entered,
/// none to a pause. One thread.
class TimeAccount {
public:
    enum class Activity { None, Updates, Data, Evaluation, Samples, Checkpoints, Monitoring };

    /// While it lives, time belongs to `activity`; afterwards to the one before again.
    class [[nodiscard]] Scope {
    public:
        Scope(TimeAccount* account, Activity activity) ///< null: nothing is counted yet
            : account_(account)
            , before_(account ? account->enter(activity) : Activity::None)
        {
        }
        ~Scope()
        {
            if (account_) account_->enter(before_);
        }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

    private:
        TimeAccount* account_;
        const Activity before_;
    };

    explicit TimeAccount(ActiveClock& clock)
        : clock_(clock)
        , since_(clock.seconds())
    {
    }
    /// So far, in seconds.
    double spent(Activity activity)
    {
        enter(now_);
        return spent_[std::size_t(activity)];
    }

private:
    Activity enter(Activity activity)
    {
        const double time = clock_.seconds();
        spent_[std::size_t(now_)] += time - since_;
        since_ = time;
        return std::exchange(now_, activity);
    }

    ActiveClock& clock_;
    Activity now_ = Activity::None;
    double since_;
    std::array<double, 7> spent_ {};
};

} // namespace pha
