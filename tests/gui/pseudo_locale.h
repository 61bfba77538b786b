// SPDX-License-Identifier: GPL-3.0-or-later
// A language that nobody speaks: every text that goes through tr() comes back marked, accented and longer. What is
// shown without the mark did not go through tr(), what does not fit has room for English alone.
#pragma once

#include <QRegularExpression>
#include <QTranslator>

namespace pha::test {

inline constexpr char16_t markBegin = u'\u27e6', markEnd = u'\u27e7'; // white square brackets

/// "Train %1 &now" -> "[Tråīn %1 &nøw···]", with those brackets. Tags, entities, placeholders and mnemonics stay.
inline QString pseudo(const QString& source)
{
    static const QRegularExpression kept(QStringLiteral("<[^<>]*>|&[a-z]+;|&\\w|%L?\\d|%n"));
    static const QString plain = QStringLiteral("AEIOUYaeiouy"), accented = QStringLiteral(u"ÅĒĪØÛÝåēīøûý");
    QString text(markBegin);
    qsizetype at = 0;
    const auto translate = [&](qsizetype end) {
        for (; at < end; ++at) {
            const auto vowel = plain.indexOf(source[at]);
            text += vowel < 0 ? source[at] : accented[vowel];
        }
    };
    for (auto found = kept.globalMatch(source); found.hasNext();) {
        const auto match = found.next();
        translate(match.capturedStart());
        text += match.captured();
        at = match.capturedEnd();
    }
    translate(source.size());
    return text + QString((source.size() * 3 + 9) / 10, QChar(0xb7)) + QChar(markEnd);
}

class PseudoLocale : public QTranslator {
public:
    bool isEmpty() const override { return false; } // Qt asks no empty one
    QString translate(const char* context, const char* source, const char*, int) const override
    {
        if (qstrcmp(context, "QShortcut") == 0) return {}; // names of keys: key sequences are read by them, too
        return pseudo(QString::fromUtf8(source));
    }
};

} // namespace pha::test
