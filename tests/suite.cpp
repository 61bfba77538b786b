// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/suite.h"

#ifdef QT_WIDGETS_LIB
#include <QApplication>
#endif
#include <QtTest>

#include <cstdio>
#include <filesystem>
#include <map>
#include <string>

namespace {

std::map<std::string, std::unique_ptr<QObject> (*)()>& suite()
{
    static std::map<std::string, std::unique_ptr<QObject> (*)()> tests;
    return tests;
}

} // namespace

bool pha::test::addTests(const char* file, std::unique_ptr<QObject> (*make)())
{
    return suite().emplace(std::filesystem::path(file).stem(), make).second;
}

int main(int argc, char** argv)
{
    const auto found = argc > 1 ? suite().find(argv[1]) : suite().end();
    if (found == suite().end()) {
        std::fprintf(stderr, "name one of these tests:\n");
        for (const auto& test : suite()) std::fprintf(stderr, "%s\n", test.first.c_str());
        return 2;
    }
    argv[1] = argv[0];
    --argc;
    ++argv;
#ifdef QT_WIDGETS_LIB
    QCoreApplication::setAttribute(Qt::AA_Use96Dpi);
    const QApplication application(argc, argv);
#else
    const QCoreApplication application(argc, argv);
#endif
    const auto test = found->second();
    return QTest::qExec(test.get(), argc, argv);
}
